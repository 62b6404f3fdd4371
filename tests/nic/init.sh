#!/bin/busybox sh
# First process of the guest: the host's own root, read-only over 9p, under a file system in memory.
b=/bin/busybox
$b mount -t proc none /proc
$b mount -t sysfs none /sys
$b mount -t devtmpfs none /dev
for module in $($b cat /modules/order); do $b insmod /modules/$module; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 hostroot /lower
$b mount -t tmpfs none /upper
$b mkdir /upper/files /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work none /root
cd /root || exec $b sh
$b mkdir -p proc sys dev run
$b mount -t proc none proc
$b mount -t sysfs none sys
$b mount -t devtmpfs none dev
$b mount -t tmpfs none run
$b mkdir -p dev/shm run/netns
$b mount -t tmpfs none dev/shm
exec $b chroot /root /usr/bin/python3 @FOLDER@/agent.py @MODULES@
