# Who runs, and what /etc/passwd and /etc/group say. Sourced by the commands that stand in for a real system's.
#
# All of a guest's files and processes have one kernel user. The user that a process stands for is its soft limit
# of file locks: children inherit it, nothing else uses it since Linux 2.4.25, and "unlimited" means root.

running_uid() { # sets uid
    uid=$( (ulimit -S -w || ulimit -S -x) 2>/dev/null)
    [ "$uid" != unlimited ] || uid=0
}

become_uid() { # UID
    [ "$1" = 0 ] && set -- unlimited
    { ulimit -S -w "$1" || ulimit -S -x "$1"; } 2>/dev/null
}

passwd_entry() { # NAME or UID: sets name uid gid gecos home shell
    while IFS=: read -r name _ uid gid gecos home shell; do
        if [ "$name" = "$1" ] || [ "$uid" = "$1" ]; then return 0; fi
    done </etc/passwd
    return 1
}

group_entry() { # NAME or GID: sets group group_id members
    while IFS=: read -r group _ group_id members; do
        if [ "$group" = "$1" ] || [ "$group_id" = "$1" ]; then return 0; fi
    done </etc/group
    return 1
}

groups_of() { # NAME PRIMARY-GID: prints "gid name" lines, the primary group first
    awk -F: -v user="$1" -v primary="$2" '
        $3 == primary { first = $3 " " $1; next }
        { count = split($4, members, ","); for (i = 1; i <= count; i++) if (members[i] == user) rest = rest "\n" $3 " " $1 }
        END { print (first ? first : primary " " primary) rest }' /etc/group
}

require_root() { # MESSAGE EXIT-CODE
    running_uid
    [ "$uid" != 0 ] || return 0
    echo "$1" >&2
    exit "${2:-1}"
}
