#!/bin/sh
# Takes from a machine whatever must not be in an image made from it. POSIX sh, run as root, the last thing that
# is done to the machine: afterwards nobody can log in any more.
#
# usage: deprovision.sh USER        USER is the account that built the machine; it is removed
#
# Prints what it does, one line each. Ends with 0 only if the machine is clean, which it checks at the end.

set -u
user=$1
failures=0
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

say() { printf '%s\n' "$*"; }
fail() { say "FAILED: $*"; failures=$((failures + 1)); }
has() { command -v "$1" >/dev/null 2>&1; }

home=$(awk -F: -v user="$user" '$1 == user { print $6 }' /etc/passwd)

# The history of this very session must not be written when it ends.
unset HISTFILE
HISTSIZE=0

if has cloud-init; then
    say 'cloud-init: forget this instance'
    cloud-init clean --logs >/dev/null 2>&1 || fail 'cloud-init clean'
fi

if has waagent; then
    say 'waagent: deprovision'
    waagent -deprovision+user -force 2>&1 | sed 's/^/  /'
fi

# waagent passes over the user, and ends with 0, when it does not find the file that the user was made from.
if awk -F: -v user="$user" '$1 == user { found = 1 } END { exit !found }' /etc/passwd; then
    say "user $user: remove"
    if has userdel; then
        userdel -f -r "$user" 2>/dev/null
    elif has deluser; then
        deluser --remove-home "$user" >/dev/null 2>&1
    fi
fi
rm -rf "/var/spool/cron/crontabs/$user" "/var/spool/cron/$user" "/var/mail/$user" "/var/spool/mail/$user"
rm -f "/var/lib/systemd/linger/$user" "/etc/sudoers.d/$user"
case $home in
    /home/?*) rm -rf "$home" ;;
esac
# The files as they were before their last change, with the user in them.
rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-

say 'sudoers: remove what provisioning added'
rm -f /etc/sudoers.d/90-cloud-init-users /etc/sudoers.d/waagent

say 'SSH: remove host keys and authorized keys'
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
rm -f /root/.ssh/authorized_keys /root/.ssh/authorized_keys2 /root/.ssh/known_hosts

say 'machine-id: empty'
: >/etc/machine-id
if [ -f /var/lib/dbus/machine-id ] && [ ! -L /var/lib/dbus/machine-id ]; then
    rm -f /var/lib/dbus/machine-id && ln -s /etc/machine-id /var/lib/dbus/machine-id
fi
rm -f /var/lib/systemd/random-seed /var/lib/urandom/random-seed /var/lib/systemd/credential.secret

say 'network: remove leases and persistent names'
for folder in /var/lib/dhcp /var/lib/dhclient /var/lib/dhcpcd /var/lib/NetworkManager /var/lib/systemd/network; do
    [ -d "$folder" ] && find "$folder" -type f \( -name '*lease*' -o -name '*.info' \) -exec rm -f {} +
done
rm -f /etc/udev/rules.d/70-persistent-net.rules /etc/udev/rules.d/75-persistent-net-generator.rules

say 'histories: remove'
for folder in /root /home/*; do
    for file in .bash_history .ash_history .sh_history .ksh_history .zsh_history .history .python_history \
        .lesshst .viminfo .wget-hsts .mysql_history .psql_history .sqlite_history .node_repl_history .selected_editor; do
        rm -f "$folder/$file"
    done
    rm -rf "$folder/.ansible/tmp" "$folder/.ansible_async"
done

say 'temporary files, crash dumps and logs: remove'
find /tmp /var/tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' -exec rm -rf {} + 2>/dev/null
for folder in /var/crash /var/lib/systemd/coredump /var/log/journal; do
    [ -d "$folder" ] && find "$folder" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
done
find /var/log -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.[0-9]' -o -name '*.old' \) -exec rm -f {} +
find /var/log -type f ! -path '/var/log/journal/*' -exec sh -c 'for log; do : >"$log"; done' sh {} +

awk -F: -v user="$user" '$1 == user { found = 1 } END { exit !found }' /etc/passwd && fail "the user $user is still there"
[ -n "$home" ] && [ "$home" != / ] && [ -e "$home" ] && fail "the folder $home is still there"
for key in /etc/ssh/ssh_host_*_key; do
    [ -e "$key" ] && fail "the host key $key is still there"
done
[ -s /etc/machine-id ] && fail '/etc/machine-id is not empty'
[ -s /root/.ssh/authorized_keys ] && fail '/root/.ssh/authorized_keys is still there'
if [ -d /var/lib/cloud/instances ] && [ -n "$(ls -A /var/lib/cloud/instances)" ]; then
    fail '/var/lib/cloud/instances is not empty'
fi

sync
[ "$failures" -eq 0 ] && say 'deprovisioned'
[ "$failures" -eq 0 ]
