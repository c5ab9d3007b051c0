#!/bin/sh
# Turns the unpacked packages into a root file system; runs as root, or as root of a user namespace.
#   finish.sh ROOTFS_TAR WORK_FOLDER ROOT_UUID ESP_UUID DISK ROOT_OFFSET ROOT_KIB
set -eu
tar=$1 work=$2 root_uuid=$3 esp_uuid=$4 disk=$5 root_offset=$6 root_kib=$7
root=$work/root
rm -rf "$root"
mkdir "$root"
# Device files cannot be made in a user namespace, and the kernel makes its own at every boot.
tar -C "$root" --exclude='./dev/*' --numeric-owner --xattrs --xattrs-include='*' -xf "$tar"

# The packages may have come from a mirror of this host; the guest gets Debian's names, which root/ has brought.
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/0000*
printf '%s\n' \
    "UUID=$root_uuid / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1" \
    "UUID=$esp_uuid /boot/efi vfat umask=0077,nofail 0 0" >"$root/etc/fstab"

# Every machine makes its own of these when it first boots.
: >"$root/etc/machine-id"
rm -f "$root"/var/lib/dbus/machine-id "$root"/etc/ssh/ssh_host_*_key* "$root"/var/lib/systemd/random-seed
echo localhost >"$root/etc/hostname"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
rm -rf "$root"/var/log/apt "$root"/var/log/dpkg.log "$root"/var/log/alternatives.log "$root"/var/log/bootstrap.log
chroot "$root" systemctl --quiet enable systemd-networkd.service systemd-resolved.service
# Looks for snapshots of logical volumes at every boot, which costs seconds and finds none.
chroot "$root" systemctl --quiet disable e2scrub_reap.service

# From now on Debian's own package installs the boot loader when GRUB is upgraded.
: >"$root/etc/grub.d/enable_cloud"
mkdir -p "$root/boot/grub" "$root/boot/efi"
# shellcheck disable=SC1091 # a file of root/
. "$root/etc/default/grub.d/50_azure.cfg"
# Replaced by update-grub as soon as a kernel is installed or removed.
cat >"$root/boot/grub/grub.cfg" <<END
search --no-floppy --fs-uuid --set=root $root_uuid
linux /vmlinuz root=UUID=$root_uuid ro $GRUB_CMDLINE_LINUX
initrd /initrd.img
boot
END
cat >"$root/boot/grub/early.cfg" <<END
search.fs_uuid $root_uuid root
set prefix=(\$root)/boot/grub
configfile \$prefix/grub.cfg
END
modules="part_gpt ext2 fat normal configfile search search_fs_uuid search_fs_file search_label linux echo test
    true regexp sleep serial terminal minicmd loadenv gzio all_video gfxterm font halt reboot ls cat"
# shellcheck disable=SC2086 # a list of words
chroot "$root" grub-mkimage -O x86_64-efi -o /boot/BOOTX64.EFI -p /boot/grub -c /boot/grub/early.cfg $modules
# shellcheck disable=SC2086 # a list of words
chroot "$root" grub-mkimage -O i386-pc -o /boot/core.img -p /boot/grub -c /boot/grub/early.cfg biosdisk $modules
mv "$root/boot/BOOTX64.EFI" "$root/boot/core.img" "$work"
cp "$root/usr/lib/grub/i386-pc/boot.img" "$work"
rm "$root/boot/grub/early.cfg"

# The features are named one by one because newer defaults are unknown to Debian 12's GRUB. The disk's file is sparse, so
# its inode tables are zeroed already and the first boot need not do it.
more_features=large_file,huge_file,dir_nlink,extra_isize,metadata_csum
mke2fs -q -F -t ext4 -L root -U "$root_uuid" -d "$root" \
    -O "none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,$more_features" \
    -E "offset=$root_offset,lazy_itable_init=1,assume_storage_prezeroed=1,nodiscard" "$disk" "${root_kib}k"
rm -rf "$root"
