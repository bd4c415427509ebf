// What can be done with any descriptor, socket or not: close, duplicate, pipes, flags, and poll(2),
// the one call here that blocks.
#include "arguments.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Linux has released the descriptor even when a signal interrupted close; trying again could close
// one that another thread has just opened under the same number.
static napi_value fd_close(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  int32_t fd;
  if (!read_int(env, args[0], "fd", &fd)) return NULL;
  int closed = close(fd);
  if (closed < 0 && errno == EINTR) closed = 0;
  return result(env, closed);
}

// Two arguments: a descriptor, and what is to be or not to be with it.
static bool read_switch(napi_env env, napi_value *args, int32_t *fd, bool *on) {
  if (!read_int(env, args[0], "fd", fd)) return false;
  return napi_get_value_bool(env, args[1], on) == napi_ok || wrong_type(env, "on", "a boolean");
}

// Discussion: a worker thread that is terminated runs no more JavaScript, and its descriptors belong
// to the process, which lives on. So somebody else has to know which they were.
static napi_value fd_close_at_exit(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  int32_t fd;
  bool on;
  if (!read_switch(env, args, &fd, &on)) return NULL;
  if (fd < 0) return number(env, -EBADF);
  size_t byte = (size_t)fd / 8;
  uint8_t bit = (uint8_t)(1u << (fd % 8));
  if (byte >= home->owned_size) {
    if (!on) return number(env, 0);
    size_t size = byte + 64;
    uint8_t *owned = realloc(home->owned, size);
    if (owned == NULL) return number(env, -ENOMEM);
    memset(owned + home->owned_size, 0, size - home->owned_size);
    home->owned = owned;
    home->owned_size = size;
  }
  if (on) {
    home->owned[byte] |= bit;
  } else {
    home->owned[byte] &= (uint8_t)~bit;
  }
  return number(env, 0);
}

void descriptors_close(Environment *home) {
  for (size_t fd = 0; fd < home->owned_size * 8; fd++) {
    if (home->owned[fd / 8] & (1u << (fd % 8))) close((int)fd);
  }
  free(home->owned);
}

static napi_value fd_dup(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  int32_t fd;
  if (!read_int(env, args[0], "fd", &fd)) return NULL;
  return result(env, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

static napi_value fd_pipe(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  int fds[2];
  if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) return result(env, -1);
  return pair(env, fds);
}

static napi_value fd_flags(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  int32_t fd;
  if (!read_int(env, args[0], "fd", &fd)) return NULL;
  return result(env, fcntl(fd, F_GETFL));
}

static napi_value fd_nonblocking(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  int32_t fd;
  bool on;
  if (!read_switch(env, args, &fd, &on)) return NULL;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return result(env, -1);
  int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return result(env, wanted == flags ? 0 : fcntl(fd, F_SETFL, wanted));
}

static int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Blocks this thread. A signal does not shorten the wait: it goes on for what is left.
static napi_value fd_poll(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  int32_t fd, events, timeout;
  if (!read_int(env, args[0], "fd", &fd) || !read_int(env, args[1], "events", &events) ||
      !read_optional_int(env, args[2], "timeout", -1, &timeout)) {
    return NULL;
  }
  int64_t deadline = timeout > 0 ? milliseconds() + timeout : 0;
  for (;;) {
    struct pollfd entry = {.fd = fd, .events = (short)events};
    int n = poll(&entry, 1, timeout);
    if (n >= 0) return number(env, entry.revents & POLLNVAL ? -EBADF : entry.revents);
    if (errno != EINTR) return result(env, -1);
    if (timeout > 0) {
      int64_t left = deadline - milliseconds();
      timeout = left > 0 ? (int32_t)left : 0;
    }
  }
}

const Method descriptor_methods[] = {
    {"close", fd_close},
    {"closeAtExit", fd_close_at_exit},
    {"dup", fd_dup},
    {"pipe", fd_pipe},
    {"getFlags", fd_flags},
    {"setNonblocking", fd_nonblocking},
    {"poll", fd_poll},
    {NULL, NULL},
};
