cp -r /usr/lib/python3.11/email u; cp -r /usr/lib/python3.11/json u/j; ln -s j u/link; ln u/j/decoder.py u/hard; mkfifo u/fifo; chmod 750 u/j; chown -R 5:6 u/j; truncate -s $((5120 / SCALE))K u/sparse
tar cf a.tar --sort=name --mtime=@0 u; tar tvf a.tar | awk '{ print $1, $2, $3, $6 }' | md5sum; gzip -k a.tar; xz -k -1 a.tar; gzip -dc a.tar.gz | cmp - a.tar; xz -dc a.tar.xz | cmp - a.tar
mkdir x; tar xf a.tar -C x; rm u/fifo x/u/fifo; diff -r u x/u && echo same; stat -c '%a %u %g %h' x/u/j x/u/hard; readlink x/u/link; tar cSf s.tar u/sparse; stat -c %s s.tar
tar czf b.tgz u; tar cJf c.txz u/j; tar xJf c.txz -O u/j/decoder.py | cmp - u/hard; tar rf a.tar u/hard; tar tf a.tar | grep -c hard
xz -T4 -k -f a.tar; xz -t a.tar.xz && echo xz ok; mkdir y; (cd u && tar cf - .) | (cd y && tar xpf -); diff -r u y && echo piped
