# timeout: 2400
printf '#include <stdio.h>\n#include <math.h>\nint main(void) { double s = 0; for (int i = 1; i < 1000000; i++) s += sqrt(i); printf("%%.3f\\n", s); return 0; }\n' >t.c; gcc -O2 -Wall t.c -o t -lm && ./t; gcc -static -O0 t.c -o ts -lm && ./ts
# A program of 2,000 lines: each function calls the one before it.
{ echo '#include <stdio.h>'; echo 'static unsigned f0(unsigned x) { return x; }'
i=1; while [ $i -le 499 ]; do printf 'static unsigned f%d(unsigned x)\n{\n\tx = x * %du + f%d(x >> 1);\n\treturn x ^ %du; }\n' $i $((i * 7919)) $((i - 1)) $i; i=$((i + 1)); done
printf 'int main(void)\n{\n\tprintf("%%u\\n", f499(12345));\n\treturn 0; }\n'; } >big.c
wc -l big.c; gcc -O2 -g -Wall big.c -o big && ./big; gcc -O0 -pthread big.c -o big0 && ./big0; gcc -O2 -flto big.c -o big1 && ./big1
printf '#include <pthread.h>\n#include <stdio.h>\nstatic void *f(void *p) { for (int i = 0; i < 100000; i++) __atomic_add_fetch((long *)p, 1, 5); return 0; }\nint main(void) { pthread_t t[4]; long n = 0; for (int i = 0; i < 4; i++) pthread_create(t + i, 0, f, &n); for (int i = 0; i < 4; i++) pthread_join(t[i], 0); printf("%%ld\\n", n); }\n' >th.c; gcc -pthread th.c -o th && ./th
printf 'int add(int a, int b) { return a + b; }\n' >l.c; gcc -shared -fPIC l.c -o libl.so; printf '#include <stdio.h>\n#include <dlfcn.h>\nint main(void) { void *h = dlopen("./libl.so", RTLD_NOW); int (*f)(int, int) = dlsym(h, "add"); printf("%%d\\n", f(2, 3)); }\n' >d.c; gcc d.c -o d && ./d; gcc -c l.c; ar rcs libl.a l.o; nm libl.a | tail -1; strip big; ./big; objdump -d l.o | wc -l
