// SPDX-License-Identifier: Apache-2.0
/* Four threads over mutexes, condition variables, barriers, semaphores, thread-local data, cancellation and signals. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define ROUNDS 2000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static sem_t sem;
static long counter, turn;
static atomic_long relaxed, signals;
static _Thread_local long mine;

static void on_signal(int signo)
{
	atomic_fetch_add(&signals, 1);
}

static void *worker(void *arg)
{
	long id = (long)arg;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		atomic_fetch_add(&relaxed, 1);
		mine++;
	}
	pthread_barrier_wait(&barrier);
	/* In turns: every thread waits for the one before it. */
	for (int i = 0; i < 50; i++) {
		pthread_mutex_lock(&lock);
		while (turn % THREADS != id)
			pthread_cond_wait(&cond, &lock);
		turn++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	for (int i = 0; i < 200; i++) {
		if (i % 10 == id) {
			pthread_rwlock_wrlock(&rw);
			counter++;
			pthread_rwlock_unlock(&rw);
		} else {
			pthread_rwlock_rdlock(&rw);
			assert(counter >= THREADS * ROUNDS);
			pthread_rwlock_unlock(&rw);
		}
	}
	sem_post(&sem);
	void *p = malloc(100000);
	free(p);
	return (void *)mine;
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

int main(void)
{
	pthread_t t[THREADS], s;
	long sum = 0;
	void *r;

	signal(SIGUSR1, on_signal);
	pthread_barrier_init(&barrier, NULL, THREADS);
	sem_init(&sem, 0, 0);
	for (int round = 0; round < 5; round++) {
		counter = 0;
		for (long i = 0; i < THREADS; i++)
			pthread_create(&t[i], NULL, worker, (void *)i);
		for (int i = 0; i < THREADS; i++)
			sem_wait(&sem);
		for (int i = 0; i < THREADS; i++) {
			pthread_join(t[i], &r);
			sum += (long)r;
		}
	}
	printf("counter %ld relaxed %ld sum %ld turn %ld\n", counter, relaxed, sum, turn);
	pthread_create(&s, NULL, sleeper, NULL);
	for (long i = 1; i <= 10; i++) {
		pthread_kill(s, SIGUSR1);
		while (atomic_load(&signals) < i)
			usleep(100);
	}
	pthread_cancel(s);
	pthread_join(s, &r);
	printf("signals %ld cancelled %d\n", signals, r == PTHREAD_CANCELED);
	pthread_mutex_lock(&lock);
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	printf("timed out %d\n", pthread_cond_timedwait(&cond, &lock, &until) == ETIMEDOUT);
	pthread_mutex_unlock(&lock);
	return 0;
}
