# Who owns a file. The kernel knows one owner only, so that chown writes others down in a table: "path:uid:gid".
# A file that is not in the table belongs to root, or, below a user's home, to that user. Sourced.

owners=/var/lib/stand-in/owners

owner_of() { # CANONICAL-PATH: prints "uid gid"
    awk -F: -v path="$1" '
        FILENAME ~ /passwd$/ { if ($6 ~ "^/home/" && index(path "/", $6 "/") == 1) { uid = $3; gid = $4 } next }
        $1 == path { uid = $2; gid = $3 }
        END { print (uid == "" ? 0 : uid), (gid == "" ? 0 : gid) }' /etc/passwd "$owners"
}

record_owners() { # UID GID, either may be empty; paths on standard input, one a line
    cat >"/run/owners.$$"
    awk -F: -v OFS=: -v uid="$1" -v gid="$2" '
        FILENAME ~ /passwd$/ { if ($6 ~ "^/home/") { homes[$6] = $3 OFS $4 } next }
        FILENAME ~ /owners$/ { if (!($1 in owner)) order[++count] = $1; owner[$1] = $2 OFS $3; next }
        {
            old = "0" OFS "0"
            for (home in homes) if (index($0 "/", home "/") == 1) old = homes[home]
            if ($0 in owner) old = owner[$0]; else order[++count] = $0
            split(old, part, OFS)
            owner[$0] = (uid == "" ? part[1] : uid) OFS (gid == "" ? part[2] : gid)
        }
        END { for (i = 1; i <= count; i++) print order[i], owner[order[i]] }' \
        /etc/passwd "$owners" "/run/owners.$$" >"/run/owners.$$.new"
    cat "/run/owners.$$.new" >"$owners"
    rm -f "/run/owners.$$" "/run/owners.$$.new"
}

canonical() { # PATH [follow]: prints the absolute path, of the link itself unless told to follow
    if [ -n "$2" ] || [ ! -L "$1" ]; then readlink -f -- "$1"; else echo "$(readlink -f -- "$(dirname -- "$1")")/$(basename -- "$1")"; fi
}
