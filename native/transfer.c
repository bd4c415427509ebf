// Bytes in and out of sockets and descriptors, straight from and to JavaScript's own memory. One
// system call each; whether to try again, wait or give up is JavaScript's business.
//
// Sockets are read and written around libc. Its recv and send can be cancelled by pthread_cancel, and to
// allow that and forbid it again takes two atomic steps a call in a process of several threads: a
// fiftieth of an echo.
//
// The scratch area is a block this environment owns and JavaScript sees as a Buffer. A call that
// names a place in it needs no look-up of the buffer behind an object.
#include "address.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline ssize_t receive(int fd, void *at, size_t length, int flags, struct sockaddr *from,
                              socklen_t *from_length) {
  return syscall(SYS_recvfrom, fd, at, length, flags, from, from_length);
}

static inline ssize_t transmit(int fd, const void *at, size_t length, int flags,
                               const struct sockaddr *to, socklen_t to_length) {
  return syscall(SYS_sendto, fd, at, length, flags | MSG_NOSIGNAL, to, to_length);
}

// Discussion: JavaScript may detach the ArrayBuffer of a scratch area (`transfer()`), or drop it,
// while the environment still points into it; and the environment may end first. So each side
// holds a count, and the memory goes with the second one. Writing into it is never a wild write.
struct Scratch {
  atomic_int owners;
  size_t size;
  uint8_t bytes[];
};

void scratch_release(Scratch *scratch) {
  if (scratch != NULL && atomic_fetch_sub(&scratch->owners, 1) == 1) free(scratch);
}

static void scratch_dropped(napi_env env, void *data, void *hint) {
  (void)env;
  (void)data;
  scratch_release(hint);
}

static napi_value scratch_make(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  size_t size;
  napi_value out;
  if (!read_size(env, args[0], "size", &size)) return NULL;
  if (size == 0 || size > INT32_MAX) {
    out_of_range(env, "size");
    return NULL;
  }
  // Zeroed: JavaScript must never read what the process had there before.
  Scratch *scratch = calloc(1, sizeof *scratch + size);
  if (scratch == NULL) return number(env, -ENOMEM);
  scratch->size = size;
  atomic_init(&scratch->owners, 2);
  if (napi_create_external_buffer(env, size, scratch->bytes, scratch_dropped, scratch, &out) !=
      napi_ok) {
    free(scratch);  // an embedder that forbids external memory
    return number(env, -ENOTSUP);
  }
  scratch_release(home->scratch);
  home->scratch = scratch;
  return out;
}

static bool read_scratch_span(napi_env env, napi_value *args, Environment *home, Bytes *out) {
  Bytes whole = {NULL, 0};
  if (home->scratch != NULL) {
    whole.at = home->scratch->bytes;
    whole.length = home->scratch->size;
  }
  return narrow(env, args, whole, out);
}

// A descriptor, where the bytes are to go or come from, and flags.
typedef struct {
  int32_t fd, flags;
  Bytes span;
} Transfer;

static bool read_transfer(napi_env env, napi_value *args, Transfer *out) {
  return read_int(env, args[0], "fd", &out->fd) && read_span(env, args + 1, &out->span) &&
         read_optional_int(env, args[4], "flags", 0, &out->flags);
}

// The same with the scratch area, which need not be named.
static bool read_scratch_transfer(napi_env env, napi_value *args, Environment *home, Transfer *out) {
  return read_int(env, args[0], "fd", &out->fd) &&
         read_scratch_span(env, args + 1, home, &out->span) &&
         read_optional_int(env, args[3], "flags", 0, &out->flags);
}

static napi_value received(napi_env env, const Transfer *to) {
  ssize_t n;
  RETRY(n, receive(to->fd, to->span.at, to->span.length, to->flags, NULL, NULL));
  return result(env, n);
}

static napi_value sent(napi_env env, const Transfer *from) {
  ssize_t n;
  RETRY(n, transmit(from->fd, from->span.at, from->span.length, from->flags, NULL, 0));
  return result(env, n);
}

static napi_value recv_bytes(napi_env env, napi_callback_info info) {
  ARGUMENTS(5);
  Transfer to;
  return read_transfer(env, args, &to) ? received(env, &to) : NULL;
}

static napi_value recv_scratch(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  Transfer to;
  return read_scratch_transfer(env, args, home, &to) ? received(env, &to) : NULL;
}

static bool read_int32s(napi_env env, napi_value value, const char *name, int32_t **at, size_t *length) {
  napi_typedarray_type type;
  void *data;
  if (napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL) != napi_ok ||
      type != napi_int32_array) {
    return wrong_type(env, name, "an Int32Array");
  }
  *at = data;
  return true;
}

// Many receives in a row: each costs less than one between two steps of JavaScript, whose code and data
// push the system's out of the processor's caches, and the other way round.
static napi_value recv_each(napi_env env, napi_callback_info info) {
  ARGUMENTS(5);
  int32_t *requests;
  size_t words, count, used, longest;
  Bytes target;
  if (!read_int32s(env, args[0], "requests", &requests, &words) ||
      !read_size(env, args[1], "count", &count) || !read_bytes(env, args[2], "target", &target) ||
      !read_size(env, args[3], "offset", &used) || !read_size(env, args[4], "longest", &longest)) {
    return NULL;
  }
  if (count > words / 2 || used > target.length) {
    out_of_range(env, count > words / 2 ? "count" : "offset");
    return NULL;
  }
  if (home->scratch == NULL) return number(env, -EINVAL);
  size_t done = 0;
  while (done < count) {
    int32_t *request = requests + 2 * done++;
    size_t room = request[1] < 0 ? 0 : (size_t)request[1];
    if (room > home->scratch->size) room = home->scratch->size;
    ssize_t n;
    RETRY(n, receive(request[0], home->scratch->bytes, room, 0, NULL, NULL));
    request[0] = n < 0 ? -errno : (int32_t)n;
    request[1] = (int32_t)used;
    if (n <= 0) continue;
    if ((size_t)n > longest || (size_t)n > target.length - used) {
      request[1] = -1;
      break;  // it is still in the scratch area
    }
    memcpy(target.at + used, home->scratch->bytes, (size_t)n);
    used += ((size_t)n + 7) & ~(size_t)7;
    if (used > target.length) used = target.length;
  }
  return number(env, (int32_t)done);
}

static napi_value send_bytes(napi_env env, napi_callback_info info) {
  ARGUMENTS(5);
  Transfer from = {.flags = 0};
  // Without a span, all of it: three arguments less to read, where most sends are.
  bool whole = given == 2;
  bool read = whole ? read_int(env, args[0], "fd", &from.fd) && read_bytes(env, args[1], "buffer", &from.span)
                    : read_transfer(env, args, &from);
  return read ? sent(env, &from) : NULL;
}

static napi_value send_scratch(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  Transfer from;
  return read_scratch_transfer(env, args, home, &from) ? sent(env, &from) : NULL;
}

static napi_value recv_from(napi_env env, napi_callback_info info) {
  ARGUMENTS(5);
  Transfer to;
  ssize_t n;
  if (!read_transfer(env, args, &to)) return NULL;
  do {
    home->address_length = sizeof home->address;
    n = receive(to.fd, to.span.at, to.span.length, to.flags, (struct sockaddr *)&home->address,
                &home->address_length);
  } while (n < 0 && errno == EINTR);
  if (n < 0) home->address_length = 0;
  return result(env, n);
}

static napi_value send_to(napi_env env, napi_callback_info info) {
  ARGUMENTS(5 + ADDRESS_ARGUMENTS);
  Transfer from;
  Address to;
  ssize_t n;
  if (!read_transfer(env, args, &from) || !read_address(env, args + 5, &to)) return NULL;
  if (to.error != 0) return number(env, -to.error);
  RETRY(n, transmit(from.fd, from.span.at, from.span.length, from.flags,
                    (struct sockaddr *)&to.storage, to.length));
  return result(env, n);
}

static napi_value read_fd(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  int32_t fd;
  Bytes span;
  ssize_t n;
  if (!read_int(env, args[0], "fd", &fd) || !read_span(env, args + 1, &span)) return NULL;
  RETRY(n, read(fd, span.at, span.length));
  return result(env, n);
}

// SIGPIPE is no worry: Node ignores it for the whole process.
static napi_value write_fd(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  int32_t fd;
  Bytes span;
  ssize_t n;
  if (!read_int(env, args[0], "fd", &fd) || !read_span(env, args + 1, &span)) return NULL;
  RETRY(n, write(fd, span.at, span.length));
  return result(env, n);
}

const Method transfer_methods[] = {
    {"scratch", scratch_make},
    {"recv", recv_bytes},
    {"recvScratch", recv_scratch},
    {"recvEach", recv_each},
    {"send", send_bytes},
    {"sendScratch", send_scratch},
    {"recvfrom", recv_from},
    {"sendto", send_to},
    {"read", read_fd},
    {"write", write_fd},
    {NULL, NULL},
};
