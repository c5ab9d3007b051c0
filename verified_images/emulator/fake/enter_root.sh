# enter_root.sh OVERLAY-OPTIONS MOUNT-POINT ADDRESS: run by busybox as the first process of new namespaces; makes the
# overlay the root of them, says "up" with the process' number outside, and becomes the guest's init.
set -e
exec 2>&1
root=$2 address=$3
# Still the machine's /proc, which knows this process by its outer number.
read -r pid rest </proc/self/stat
mount -t overlay -o "$1" overlay "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    [ -e "/dev/$device" ] || continue
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -m 1777 "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
ln -s /proc/1/fd/2 "$root/dev/console"
ln -s console "$root/dev/ttyS0"
# Each boot has its own id, though the kernel beneath is never booted.
mkdir "$root/run/kernel"
cat /proc/sys/kernel/random/uuid >"$root/run/kernel/boot_id"
mount --bind "$root/run/kernel/boot_id" "$root/proc/sys/kernel/random/boot_id"
echo "BOOT_IMAGE=/boot/vmlinuz root=/dev/root ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0" >"$root/run/kernel/cmdline"
mount --bind "$root/run/kernel/cmdline" "$root/proc/cmdline"
# /proc/sys and /proc/sysrq-trigger are the machine's: their owner may write them wherever they are mounted.
mount -o remount,bind,ro,nosuid,nodev,noexec "$root/proc"
cd "$root"
pivot_root . .
umount -l .
cd /
ip link set lo up
ip address add "$address/32" dev lo
[ -x /usr/bin/setpriv ] && [ -x /usr/sbin/init ] || { echo "no init found"; exit 1; }
echo "up $pid"
exec /usr/bin/setpriv --bounding-set=-sys_admin /usr/sbin/init
