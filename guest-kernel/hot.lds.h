/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What switches, wake-ups and short system calls run through and look at: together, so that they take few pages. After a switch of
 * address spaces the TLB is empty, and in a virtual machine each miss walks two sets of page tables. Functions that each trap
 * passes are marked HOT_PATH instead. A name that does not exist any more does no harm.
 */
#ifndef HOT_LDS_H
#define HOT_LDS_H

#define HOT_TEXT \
	/* Traps and system calls */ \
	*(.text.clock_sched .text.clock_sched.* .text.cpu_account_span) \
	*(.text.cpu_account_span.* .text.cpu_account_enter_slow .text.cpu_account_leave_slow .text.cpu_account_sync) \
	*(.text.cpu_account_sync.* .text.hostcall .text.hostcall.* .text.this_vcpu .text.this_vcpu.* .text.memcpy) \
	*(.text.memcpy.* .text.memset .text.memset.*) \
	/* the scheduler */ \
	*(.text.sched_before_user .text.sched_before_user.* .text.sched_handle_kick .text.schedule) \
	*(.text.schedule.* .text.finish_switch .text.finish_switch.* .text.account_leave .text.account_leave.*) \
	*(.text.update_vruntime .text.update_vruntime.* .text.sched_load_update .text.sched_load_update.*) \
	*(.text.arch_switch_context .text.arch_switch_context.*) \
	*(.text.sched_timer_promise .text.sched_timer_promise.*) \
	*(.text.take_over .text.ring0_use_root .text.ring0_use_root.* .text.ring0_fpu_switch .text.ring0_fpu_switch.*) \
	*(.text.ring0_segments_load .text.ring0_segments_save) \
	/* wake-ups */ \
	*(.text.wake_up_nr .text.wake_up_nr.* .text.waiter_wake_task .text.waiter_wake_task.* .text.task_wake_state) \
	*(.text.task_wake_state.* .text.task_rq_lock .text.task_rq_lock.* .text.activate .text.activate.* .text.select_cpu) \
	*(.text.select_cpu.* .text.rq_enqueue .text.rq_enqueue.* .text.rq_dequeue .text.rq_dequeue.*) \
	*(.text.sched_claim_idle .text.sched_claim_idle.* .text.rq_kick .text.rq_kick.*) \
	/* sleeps */ \
	*(.text.waiter_init .text.waiter_init.* .text.wait_queue_add .text.wait_queue_add.* .text.wait_queue_remove) \
	*(.text.wait_queue_remove.* .text.task_prepare_wait .text.task_prepare_wait.* .text.task_finish_wait) \
	*(.text.task_finish_wait.* .text.task_sleep .text.task_sleep.* .text.set_state .text.set_state.*) \
	*(.text.mutex_trylock .text.mutex_trylock.* .text.mutex_lock_common .text.mutex_lock_common.* .text.mutex_lock) \
	*(.text.mutex_lock.* .text.mutex_unlock .text.mutex_unlock.*) \
	/* the application's memory */ \
	*copy_fault.S.o(.text) \
	*(.text.user_copy .text.user_copy.* .text.copy_in_partial .text.copy_in_partial.* .text.copy_out_partial) \
	*(.text.copy_out_partial.* .text.copy_in .text.copy_in.* .text.copy_out .text.copy_out.* .text.lock_user_byte) \
	*(.text.lock_user_byte.* .text.unlock_user_byte .text.unlock_user_byte.* .text.mmu_lookup .text.mmu_lookup.*) \
	*(.text.page_to_pa .text.page_to_pa.* .text.pa_to_page .text.pa_to_page.* .text.user_load32_nofault) \
	*(.text.user_load32_nofault.* .text.mm_futex_key .text.mm_futex_key.*) \
	/* futexes */ \
	*(.text.sys_futex .text.sys_futex.* .text.wait_restartable .text.wait_restartable.* .text.futex_wait) \
	*(.text.futex_wait.* .text.futex_wait_setup .text.futex_wait_setup.* .text.futex_word_init .text.futex_word_init.*) \
	*(.text.futex_bucket_of .text.futex_bucket_of.* .text.bucket_lock .text.bucket_lock.* .text.futex_q_init) \
	*(.text.futex_q_init.* .text.futex_enqueue .text.futex_enqueue.* .text.futex_sleep .text.futex_sleep.* .text.leave) \
	*(.text.leave.* .text.futex_q_lock .text.futex_q_lock.* .text.futex_wake .text.futex_wake.* .text.wake_locked) \
	*(.text.wake_locked.* .text.futex_wake_q .text.futex_wake_q.*) \
	/* reading and writing files, pipes */ \
	*(.text.sys_read .text.sys_read.* .text.sys_write .text.sys_write.* .text.do_read .text.do_read.* .text.do_write) \
	*(.text.do_write.* .text.read_at_pos .text.read_at_pos.* .text.write_at_pos .text.write_at_pos.* .text.write_limit) \
	*(.text.write_limit.* .text.check_area .text.check_area.* .text.fdref_get .text.fdref_get.* .text.borrow) \
	*(.text.borrow.* .text.iter_user .text.iter_user.* .text.iter_move .text.iter_move.* .text.iter_copy_to) \
	*(.text.iter_copy_to.* .text.iter_copy_from .text.iter_copy_from.* .text.notify_file .text.notify_file.*) \
	*(.text.pipe_read .text.pipe_read.* .text.pipe_write .text.pipe_write.* .text.pipe_wait_data) \
	*(.text.pipe_wait_data.* .text.pipe_wait_space .text.pipe_wait_space.* .text.release_first .text.release_first.*) \
	*(.text.append .text.append.* .text.merge .text.merge.*)

#define HOT_DATA \
	*(.data.quick_ns .data.sched .data.timers_earliest .data.container0) \
	*(.bss.boot .bss.boot_rq .bss.clock .bss.nr_marks) \
	*(.data.rel.ro.local.pipe_ops .data.rel.ro.syscall_table)

#endif
