// Preloaded into a process (LD_PRELOAD): counts what it does to the files below one directory, records it for replaying, and
// kills the process at an operation that was asked for, before, in the middle of or after it. One operation happens at a time,
// so that the record has one order. What the numbers mean is said in file-operations.ts as well.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum operation { CREATE = 1, WRITE, SYNC, RENAME, UNLINK, MKDIR, TRUNCATE, LINK, OPERATIONS };
enum kind { NONE, UPLOAD, BLOB, DATABASE, WAL, FILE_BESIDE, BLOB_DIRECTORY, DIRECTORY, KINDS };
enum moment { BEFORE, MIDDLE, AFTER };

// What the test and this process share.
struct control {
  uint32_t armed, operation, kind, moment, countdown, hit;
  uint32_t unused[10];
  uint32_t counted[OPERATIONS][KINDS];
};

struct header {
  uint32_t size;
  uint8_t operation, kind;
  uint16_t path_length, other_path_length;
  uint8_t unused[6];
  uint64_t inode, offset, length;
} __attribute__((packed));

struct descriptor {
  ino_t inode;
  enum kind kind;
  char *path;
};

enum { DESCRIPTORS = 65536 };

static const char *root;
static size_t root_length;
static struct control *control;
static int record = -1;
static struct descriptor descriptors[DESCRIPTORS];
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(&real_##name, #name))
static void *real_open, *real_write, *real_pwrite, *real_writev, *real_pwritev, *real_fsync, *real_fdatasync,
    *real_rename, *real_unlink, *real_mkdir, *real_ftruncate, *real_link;

static void *real(void **kept, const char *name) {
  if (*kept == NULL) *kept = dlsym(RTLD_NEXT, name);
  return *kept;
}

__attribute__((constructor)) static void begin(void) {
  const char *shared = getenv("CRASH_CONTROL");
  root = getenv("CRASH_ROOT");
  if (root == NULL || shared == NULL) abort();
  root_length = strlen(root);
  int file = (int)syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC);
  control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (file < 0 || control == MAP_FAILED) abort();
  const char *to = getenv("CRASH_RECORD");
  if (to != NULL) record = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_APPEND | O_CLOEXEC);
}

// The part of the path below the root; NULL when it is elsewhere.
static const char *below_root(const char *path) {
  if (path == NULL || strncmp(path, root, root_length) != 0) return NULL;
  if (path[root_length] == '\0') return path + root_length;
  return path[root_length] == '/' ? path + root_length + 1 : NULL;
}

static int ends_with(const char *text, const char *end) {
  size_t length = strlen(text), end_length = strlen(end);
  return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static enum kind kind_of(const char *path, int is_directory) {
  if (strncmp(path, "blobs", 5) == 0) return is_directory ? BLOB_DIRECTORY : BLOB;
  if (is_directory) return DIRECTORY;
  if (strncmp(path, "uploads/", 8) == 0) return UPLOAD;
  if (strcmp(path, "caisson.db") == 0) return DATABASE;
  if (strcmp(path, "caisson.db-wal") == 0) return WAL;
  // Shared memory of SQLite is made anew from the log, and nothing is ever in the lock file.
  if (ends_with(path, "-shm") || ends_with(path, ".lock") || ends_with(path, ".sock")) return NONE;
  return FILE_BESIDE;
}

static void die(void) {
  control->hit = 1;
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// Counts the operation. Whoever asked for its death gets it here, or is told to die later.
static int reach(enum operation operation, enum kind kind) {
  control->counted[operation][kind]++;
  if (!control->armed || control->operation != operation || control->kind != kind) return -1;
  if (--control->countdown > 0) return -1;
  if (control->moment == BEFORE) die();
  return (int)control->moment;
}

static void note(enum operation operation, enum kind kind, const char *path, const char *other, ino_t inode, off_t offset,
                 const struct iovec *pieces, int count, size_t length) {
  if (record < 0) return;
  struct header header = {0};
  header.operation = (uint8_t)operation;
  header.kind = (uint8_t)kind;
  header.path_length = (uint16_t)(path == NULL ? 0 : strlen(path));
  header.other_path_length = (uint16_t)(other == NULL ? 0 : strlen(other));
  header.inode = inode;
  header.offset = (uint64_t)offset;
  header.length = length;
  size_t data = pieces == NULL ? 0 : length;
  header.size = (uint32_t)(sizeof header + header.path_length + header.other_path_length + data);
  char *text = malloc(header.size), *end = text;
  end = mempcpy(end, &header, sizeof header);
  end = mempcpy(end, path == NULL ? "" : path, header.path_length);
  end = mempcpy(end, other == NULL ? "" : other, header.other_path_length);
  for (int i = 0; i < count && data > 0; i++) {
    size_t part = pieces[i].iov_len < data ? pieces[i].iov_len : data;
    end = mempcpy(end, pieces[i].iov_base, part);
    data -= part;
  }
  for (char *rest = text; rest < end;) {
    ssize_t written = syscall(SYS_write, record, rest, end - rest);
    if (written < 0) abort();
    rest += written;
  }
  free(text);
}

static struct descriptor *known(int fd) {
  struct stat found;
  if (fd < 0 || fd >= DESCRIPTORS || descriptors[fd].kind == NONE) return NULL;
  // The number may have become another file's, or a socket's.
  if (fstat(fd, &found) != 0 || found.st_ino != descriptors[fd].inode) return NULL;
  return &descriptors[fd];
}

static void remember(int fd, const char *path, int created) {
  struct stat found;
  if (fd < 0 || fd >= DESCRIPTORS || fstat(fd, &found) != 0) return;
  struct descriptor *descriptor = &descriptors[fd];
  descriptor->inode = found.st_ino;
  descriptor->kind = kind_of(path, S_ISDIR(found.st_mode));
  free(descriptor->path);
  descriptor->path = strdup(path);
  if (created && descriptor->kind != NONE) note(CREATE, descriptor->kind, path, NULL, found.st_ino, 0, NULL, 0, 0);
}

static int open_below(const char *path, int flags, mode_t mode) {
  const char *inner = below_root(path);
  if (inner == NULL) return REAL(open)(path, flags, mode);
  pthread_mutex_lock(&one_at_a_time);
  struct stat found;
  int missing = lstat(path, &found) != 0;
  int creates = (flags & O_CREAT) != 0 && missing && kind_of(inner, 0) != NONE;
  int moment = creates ? reach(CREATE, kind_of(inner, 0)) : -1;
  int fd = REAL(open)(path, flags, mode);
  int error = errno;
  remember(fd, inner, creates);
  if (fd >= 0 && !missing && (flags & O_TRUNC) != 0 && known(fd) != NULL)
    note(TRUNCATE, descriptors[fd].kind, NULL, NULL, descriptors[fd].inode, 0, NULL, 0, 0);
  if (moment >= 0) die();
  pthread_mutex_unlock(&one_at_a_time);
  errno = error;
  return fd;
}

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_below(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
  va_end(more);
  return open_below(path, flags | O_LARGEFILE, mode);
}

static ssize_t write_pieces(int fd, const struct iovec *pieces, int count, off_t offset) {
  if (offset >= 0) return REAL(pwritev)(fd, pieces, count, offset);
  return REAL(writev)(fd, pieces, count);
}

// Half of the bytes, as when the process dies while the kernel copies them.
static void write_half(int fd, const struct iovec *pieces, int count, off_t offset) {
  size_t length = 0;
  for (int i = 0; i < count; i++) length += pieces[i].iov_len;
  for (size_t half = length / 2, i = 0; half > 0; i++) {
    struct iovec part = {pieces[i].iov_base, pieces[i].iov_len < half ? pieces[i].iov_len : half};
    write_pieces(fd, &part, 1, offset);
    if (offset >= 0) offset += (off_t)part.iov_len;
    half -= part.iov_len;
  }
}

static ssize_t write_below(int fd, const struct iovec *pieces, int count, off_t offset) {
  struct descriptor *descriptor = known(fd);
  if (descriptor == NULL) return write_pieces(fd, pieces, count, offset);
  pthread_mutex_lock(&one_at_a_time);
  int moment = reach(WRITE, descriptor->kind);
  if (moment == MIDDLE) {
    write_half(fd, pieces, count, offset);
    die();
  }
  off_t start = offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR);
  ssize_t written = write_pieces(fd, pieces, count, offset);
  int error = errno;
  if (written > 0) note(WRITE, descriptor->kind, NULL, NULL, descriptor->inode, start, pieces, count, (size_t)written);
  if (moment == AFTER) die();
  pthread_mutex_unlock(&one_at_a_time);
  errno = error;
  return written;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (known(fd) == NULL) return REAL(write)(fd, bytes, length);
  struct iovec piece = {(void *)bytes, length};
  return write_below(fd, &piece, 1, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  if (known(fd) == NULL) return REAL(pwrite)(fd, bytes, length, offset);
  struct iovec piece = {(void *)bytes, length};
  return write_below(fd, &piece, 1, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return pwrite(fd, bytes, length, offset); }

ssize_t writev(int fd, const struct iovec *pieces, int count) { return write_below(fd, pieces, count, -1); }

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) { return write_below(fd, pieces, count, offset); }

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) {
  return write_below(fd, pieces, count, offset);
}

static int sync_below(int fd, int (*sync)(int)) {
  struct descriptor *descriptor = known(fd);
  if (descriptor == NULL) return sync(fd);
  pthread_mutex_lock(&one_at_a_time);
  int moment = reach(SYNC, descriptor->kind);
  int done = sync(fd);
  int error = errno;
  if (done == 0) note(SYNC, descriptor->kind, descriptor->path, NULL, descriptor->inode, 0, NULL, 0, 0);
  if (moment >= 0) die();
  pthread_mutex_unlock(&one_at_a_time);
  errno = error;
  return done;
}

int fsync(int fd) { return sync_below(fd, REAL(fsync)); }

int fdatasync(int fd) { return sync_below(fd, REAL(fdatasync)); }

int ftruncate(int fd, off_t length) {
  struct descriptor *descriptor = known(fd);
  if (descriptor == NULL) return REAL(ftruncate)(fd, length);
  pthread_mutex_lock(&one_at_a_time);
  int moment = reach(TRUNCATE, descriptor->kind);
  int done = REAL(ftruncate)(fd, length);
  int error = errno;
  if (done == 0) note(TRUNCATE, descriptor->kind, NULL, NULL, descriptor->inode, length, NULL, 0, 0);
  if (moment >= 0) die();
  pthread_mutex_unlock(&one_at_a_time);
  errno = error;
  return done;
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

// One operation on names: `path`, and `other` when there are two.
#define NAMED(operation, path, other, is_directory, call)                                   \
  do {                                                                                      \
    const char *inner = below_root(path), *inner_other = below_root(other);                 \
    if (inner == NULL || kind_of(inner, is_directory) == NONE) return call;                 \
    pthread_mutex_lock(&one_at_a_time);                                                     \
    enum kind kind = kind_of(inner, is_directory);                                          \
    int moment = reach(operation, kind);                                                    \
    int done = call;                                                                        \
    int error = errno;                                                                      \
    if (done == 0) note(operation, kind, inner, inner_other, 0, 0, NULL, 0, 0);             \
    if (moment >= 0) die();                                                                 \
    pthread_mutex_unlock(&one_at_a_time);                                                   \
    errno = error;                                                                          \
    return done;                                                                            \
  } while (0)

int rename(const char *from, const char *to) { NAMED(RENAME, from, to, 0, REAL(rename)(from, to)); }

int link(const char *from, const char *to) { NAMED(LINK, from, to, 0, REAL(link)(from, to)); }

int unlink(const char *path) { NAMED(UNLINK, path, NULL, 0, REAL(unlink)(path)); }

int mkdir(const char *path, mode_t mode) { NAMED(MKDIR, path, NULL, 1, REAL(mkdir)(path, mode)); }
