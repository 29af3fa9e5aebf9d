/*
 * Loaded into the server with LD_PRELOAD: what a commit waits for is a number, and not the disk of the machine.
 *
 * fdatasync, with which the server makes its log durable (wal_sync_method = fdatasync), sleeps for the nanoseconds that the
 * file TB_SYNC_DELAY_FILE holds, eight bytes that may change at any time. Nothing is written through, not by fsync either.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t *delay_ns;

/* In the postmaster: its children have the mapping by fork. */
__attribute__((constructor)) static void map_delay(void)
{
    const char *path = getenv("TB_SYNC_DELAY_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof(*delay_ns), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED)
        return;
    delay_ns = mapped;
    /* By default the kernel may let a sleep last 50 microseconds longer. */
    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
}

int fdatasync(int file)
{
    int64_t ns = delay_ns ? *delay_ns : 0;
    struct timespec until;

    (void) file;
    if (ns <= 0)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (until.tv_nsec + ns) / 1000000000;
    until.tv_nsec = (until.tv_nsec + ns) % 1000000000;
    /* To an instant, because the server's signals interrupt it. */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
    return 0;
}

int fsync(int file)
{
    (void) file;
    return 0;
}
