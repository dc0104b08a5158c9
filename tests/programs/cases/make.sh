# timeout: 1200
printf 'all: a b c d e f g h\n%%: %%.c\n\tgcc -o $@ $<\n' >Makefile; for i in a b c d e f g h; do echo "int main(void) { return 0; }" >$i.c; done; make -s -j4 && ./a && ./d && echo made; make -s -j4 && echo nothing to do; sleep 0.1; touch c.c; make -j4; make -j2 -s -B && echo again
printf 'all:\n\t@+$(MAKE) -s -C sub all\nx:\n\tfalse\n' >M2; mkdir sub; printf 'all: $(addprefix t,$(shell seq 1 40))\nt%%:\n\t@sleep 0.01; echo $@ >$@\n' >sub/Makefile; make -j4 -f M2; ls sub | wc -l; make -f M2 x 2>&1; echo $?
