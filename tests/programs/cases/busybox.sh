# root: host
# needs: busybox
busybox sh -c 'echo hi | busybox cat; seq 1 20 | busybox awk "{s+=\$1} END {print s}"; busybox ls /etc/passwd | busybox head -3'
busybox sh -c 'busybox mkdir -p a/b; echo x >a/b/c; busybox tar cf - a | busybox tar tf - | busybox wc -l; busybox find a -type f'
busybox sh -c 'for i in 1 2 3; do (busybox sleep 0.$i; echo $i) & done; wait' | sort
busybox gzip -c /etc/passwd | busybox gunzip | cmp - /etc/passwd && echo same
busybox md5sum </etc/passwd; busybox sha256sum /etc/passwd
busybox diff /etc/passwd /etc/passwd && echo equal
busybox printf '%d\n' 12; busybox expr 3 + 4
