# Units: reading them, and starting and stopping services. Sourced by systemctl.
#
# Their state lies in /run/units: NAME.pid of a running service, NAME.state (running, exited, failed), NAME.log.
# Read and decided by the shell alone where it can be, as a boot asks for a dozen units.

. /usr/lib/stand-in/accounts.sh
newline='
'
folders='/etc/systemd/system /run/systemd/system /usr/lib/systemd/system'

find_unit() { # NAME: sets unit, file and masked, and reads the unit; false if there is none
    case $1 in
        *.service | *.target | *.socket | *.timer | *.mount | *.path | *.slice | *.scope | *.device | *.swap | *.automount) unit=$1 ;;
        *) unit=$1.service ;;
    esac
    file='' masked=''
    for folder in $folders; do
        [ -e "$folder/$unit" ] || [ -L "$folder/$unit" ] || continue
        file=$folder/$unit
        if [ -L "$file" ]; then
            aim=$(readlink -f "$file")
            if [ "$aim" = /dev/null ]; then masked=1; else unit=${aim##*/}; fi
        fi
        break
    done
    read_unit
    [ -n "$file" ]
}

read_unit() { # sets a variable for each setting that is known here; lists have one entry a line
    Type='' ExecStart='' ExecStartPre='' ExecStartPost='' ExecStop='' ExecReload='' User='' WorkingDirectory=''
    Environment='' EnvironmentFile='' PIDFile='' RemainAfterExit='' WantedBy='' RequiredBy='' Alias='' Description=''
    for part in "$file" /etc/systemd/system/"$unit".d/*.conf; do
        [ -f "$part" ] || continue
        while IFS= read -r line || [ -n "$line" ]; do
            while case $line in *\\) IFS= read -r more ;; *) false ;; esac; do line=${line%\\}$more; done
            case $line in
                Type=* | User=* | WorkingDirectory=* | PIDFile=* | RemainAfterExit=* | Description=*)
                    eval "${line%%=*}=\${line#*=}" ;;
                ExecStart=* | ExecStartPre=* | ExecStartPost=* | ExecStop=* | ExecReload=* | Environment=* | EnvironmentFile=* | WantedBy=* | RequiredBy=* | Alias=*)
                    # An empty value clears what came before, in the unit or in an earlier drop-in.
                    key=${line%%=*} entry=${line#*=}
                    if [ -n "$entry" ]; then eval "$key=\$$key\$entry\$newline"; else eval "$key="; fi ;;
            esac
        done <"$part"
    done
}

main_pid() { # sets pid; false if the service's main process is not alive
    pid=0
    { read -r pid <"/run/units/$unit.pid"; } 2>/dev/null && kill -0 "$pid" 2>/dev/null
}

look_at_unit() { # sets active (active, inactive, failed) and sub
    noted=''
    { read -r noted <"/run/units/$unit.state"; } 2>/dev/null
    active=inactive sub=dead
    case $noted in
        exited) active=active sub=exited ;;
        running) main_pid && active=active sub=running ;;
        failed) active=failed sub=failed ;;
        *) case $unit in *.target) [ -z "$file" ] || [ ! -e /run/booted ] || { active=active sub=active; } ;; esac ;;
    esac
}

look_at_file() { # sets enabled (enabled, disabled, static, masked)
    enabled=static
    [ -z "$WantedBy$RequiredBy$Alias" ] || enabled=disabled
    for link in /etc/systemd/system/*.wants/"$unit" /etc/systemd/system/*.requires/"$unit"; do
        [ ! -L "$link" ] || enabled=enabled
    done
    [ -z "$masked" ] || enabled=masked
}

exec_line() { # becomes a command line of the unit, with the unit's user, folder and variables
    command_line=$1
    while :; do case $command_line in [-@+!:]*) command_line=${command_line#?} ;; *) break ;; esac; done
    exec </dev/null >>"/run/units/$unit.log" 2>&1
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 MAINPID=$pid
    export PATH LANG MAINPID
    for one in $EnvironmentFile; do set -a; [ ! -f "${one#-}" ] || . "${one#-}"; set +a; done
    while read -r one; do [ -z "$one" ] || eval "export $one"; done <<LINES
$Environment
LINES
    cd "${WorkingDirectory:-/}" 2>/dev/null || cd /
    if [ -n "$User" ]; then
        passwd_entry "$User" || exit 217
        export HOME="$home" USER="$name" LOGNAME="$name"
        become_uid "$uid"
    fi
    [ "$2" = foreground ] || exec setsid sh -c "exec $command_line"
    exec sh -c "exec $command_line"
}

run_lines() { # LINES: runs each, stops at the first that fails unless it begins with "-"
    while read -r one; do
        case $one in '' | /bin/true) continue ;; esac
        (exec_line "$one" foreground) || case $one in -*) ;; *) return 1 ;; esac
    done <<LINES
$1
LINES
}

fail_unit() {
    echo failed >"/run/units/$unit.state"
    echo "Job for $unit failed because the control process exited with error code." >&2
    echo "See \"systemctl status $unit\" and \"journalctl -xeu $unit\" for details." >&2
    return 1
}

start_unit() {
    [ -z "$masked" ] || { echo "Failed to start $unit: Unit $unit is masked." >&2; return 1; }
    look_at_unit
    [ "$active" != active ] || return 0
    case $unit in *.service) ;; *) echo exited >"/run/units/$unit.state"; return 0 ;; esac
    echo "systemd[1]: Starting $unit - $Description..." >>"/run/units/$unit.log"
    pid=''
    run_lines "$ExecStartPre" || { fail_unit; return 1; }
    case $Type in
        oneshot)
            run_lines "$ExecStart" || { fail_unit; return 1; }
            if [ "$RemainAfterExit" = yes ]; then echo exited >"/run/units/$unit.state"; else rm -f "/run/units/$unit.state"; fi ;;
        forking)
            run_lines "$ExecStart" || { fail_unit; return 1; }
            cp "$PIDFile" "/run/units/$unit.pid" 2>/dev/null
            echo running >"/run/units/$unit.state" ;;
        *)
            [ -n "$ExecStart" ] || { fail_unit; return 1; }
            exec_line "${ExecStart%%"$newline"*}" &
            echo $! >"/run/units/$unit.pid"
            echo running >"/run/units/$unit.state" ;;
    esac
    run_lines "$ExecStartPost" || { fail_unit; return 1; }
    echo "systemd[1]: Started $unit - $Description." >>"/run/units/$unit.log"
}

stop_unit() {
    if main_pid; then
        run_lines "$ExecStop"
        kill -TERM "$pid" 2>/dev/null
        tries=0
        while kill -0 "$pid" 2>/dev/null && [ $tries -lt 200 ]; do tries=$((tries + 1)); sleep 0.01; done
        kill -KILL "$pid" 2>/dev/null
    fi
    rm -f "/run/units/$unit.pid" "/run/units/$unit.state"
}

enable_unit() {
    [ -z "$masked" ] || { echo "Failed to enable unit: Unit file /etc/systemd/system/$unit is masked." >&2; return 1; }
    for target in $WantedBy; do
        mkdir -p "/etc/systemd/system/$target.wants"
        [ ! -L "/etc/systemd/system/$target.wants/$unit" ] || continue
        ln -s "$file" "/etc/systemd/system/$target.wants/$unit"
        [ -n "$quiet" ] || echo "Created symlink /etc/systemd/system/$target.wants/$unit → $file." >&2
    done
    for alias in $Alias; do [ "$alias" = "$unit" ] || ln -sfn "$file" "/etc/systemd/system/$alias"; done
}

disable_unit() {
    for link in /etc/systemd/system/*.wants/"$unit"; do
        [ -L "$link" ] || continue
        rm -f "$link"
        [ -n "$quiet" ] || echo "Removed \"$link\"." >&2
    done
    for alias in $Alias; do [ ! -L "/etc/systemd/system/$alias" ] || rm -f "/etc/systemd/system/$alias"; done
}
