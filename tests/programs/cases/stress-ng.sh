# slow: minutes per platform
# timeout: 12000
# sandbox: only
# Each class for a short while: no stressor may break the sandbox. Stressors that miss a feature of the kernel say so and fail.
for class in memory cpu pipe scheduler filesystem; do
	timeout 600 stress-ng --class $class --sequential 1 --timeout 1 --oomable --vm-bytes 64m >log 2>&1
	echo "$class $?"; grep -E '(un)?successful run completed' log | wc -l
done
