// A socket's life but for its data: made, bound, listening, accepted, connected, named, configured,
// shut down. Every socket made here is non-blocking and close-on-exec from birth, so that no child
// process of Node ever inherits one by accident.
#include "address.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALWAYS (SOCK_NONBLOCK | SOCK_CLOEXEC)

static napi_value socket_open(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  int32_t domain, type, protocol;
  if (!read_int(env, args[0], "domain", &domain) || !read_int(env, args[1], "type", &type) ||
      !read_optional_int(env, args[2], "protocol", 0, &protocol)) {
    return NULL;
  }
  return result(env, socket(domain, type | ALWAYS, protocol));
}

static napi_value socket_pair(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  int32_t domain, type, protocol;
  int fds[2];
  if (!read_int(env, args[0], "domain", &domain) || !read_int(env, args[1], "type", &type) ||
      !read_optional_int(env, args[2], "protocol", 0, &protocol)) {
    return NULL;
  }
  if (socketpair(domain, type | ALWAYS, protocol, fds) < 0) return result(env, -1);
  return pair(env, fds);
}

static napi_value socket_bind(napi_env env, napi_callback_info info) {
  ARGUMENTS(1 + ADDRESS_ARGUMENTS);
  int32_t fd;
  Address to;
  if (!read_int(env, args[0], "fd", &fd) || !read_address(env, args + 1, &to)) return NULL;
  if (to.error != 0) return number(env, -to.error);
  return result(env, bind(fd, (struct sockaddr *)&to.storage, to.length));
}

static napi_value socket_connect(napi_env env, napi_callback_info info) {
  ARGUMENTS(1 + ADDRESS_ARGUMENTS);
  int32_t fd;
  Address to;
  if (!read_int(env, args[0], "fd", &fd) || !read_address(env, args + 1, &to)) return NULL;
  if (to.error != 0) return number(env, -to.error);
  return result(env, connect(fd, (struct sockaddr *)&to.storage, to.length));
}

static napi_value socket_listen(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  int32_t fd, backlog;
  if (!read_int(env, args[0], "fd", &fd) || !read_int(env, args[1], "backlog", &backlog)) {
    return NULL;
  }
  return result(env, listen(fd, backlog));
}

static napi_value socket_accept(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  int32_t fd;
  int accepted;
  if (!read_int(env, args[0], "fd", &fd)) return NULL;
  do {
    home->address_length = sizeof home->address;
    accepted = accept4(fd, (struct sockaddr *)&home->address, &home->address_length, ALWAYS);
  } while (accepted < 0 && errno == EINTR);
  if (accepted < 0) home->address_length = 0;
  return result(env, accepted);
}

static napi_value last_address(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  return address_value(env, &home->address, home->address_length);
}

typedef int (*NameCall)(int, struct sockaddr *, socklen_t *);

static napi_value name_of(napi_env env, napi_callback_info info, NameCall call) {
  ARGUMENTS(1);
  int32_t fd;
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  if (!read_int(env, args[0], "fd", &fd)) return NULL;
  if (call(fd, (struct sockaddr *)&address, &length) < 0) return result(env, -1);
  return address_value(env, &address, length);
}

static int own_name(int fd, struct sockaddr *address, socklen_t *length) {
  return getsockname(fd, address, length);
}

static int peer_name(int fd, struct sockaddr *address, socklen_t *length) {
  return getpeername(fd, address, length);
}

static napi_value socket_getsockname(napi_env env, napi_callback_info info) {
  return name_of(env, info, own_name);
}

static napi_value socket_getpeername(napi_env env, napi_callback_info info) {
  return name_of(env, info, peer_name);
}

static napi_value socket_shutdown(napi_env env, napi_callback_info info) {
  ARGUMENTS(2);
  int32_t fd, how;
  if (!read_int(env, args[0], "fd", &fd) || !read_int(env, args[1], "how", &how)) return NULL;
  return result(env, shutdown(fd, how));
}

// The value comes out unsigned: an option may well be -1, and negative results are errors.
static napi_value option_get_int(napi_env env, napi_callback_info info) {
  ARGUMENTS(3);
  int32_t fd, level, name;
  int value = 0;
  socklen_t length = sizeof value;
  if (!read_int(env, args[0], "fd", &fd) || !read_int(env, args[1], "level", &level) ||
      !read_int(env, args[2], "name", &name)) {
    return NULL;
  }
  if (getsockopt(fd, level, name, &value, &length) < 0) return result(env, -1);
  napi_value out;
  return napi_create_uint32(env, (uint32_t)value, &out) == napi_ok ? out : NULL;
}

#define OPTION_LIMIT 65536

static napi_value option_get_bytes(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  int32_t fd, level, name, size;
  if (!read_int(env, args[0], "fd", &fd) || !read_int(env, args[1], "level", &level) ||
      !read_int(env, args[2], "name", &name) || !read_int(env, args[3], "size", &size)) {
    return NULL;
  }
  if (size < 0 || size > OPTION_LIMIT) return number(env, -EINVAL);
  socklen_t length = (socklen_t)size;
  uint8_t *value = calloc(1, (size_t)size + 1);
  if (value == NULL) return number(env, -ENOMEM);
  napi_value out = NULL;
  if (getsockopt(fd, level, name, value, &length) < 0) out = result(env, -1);
  // Some options (IP_OPTIONS, SO_PEERSEC) report the length they would have needed.
  else out = copy_of(env, value, length < (socklen_t)size ? length : (socklen_t)size);
  free(value);
  return out;
}

static napi_value option_set_int(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  int32_t fd, level, name, value;
  if (!read_int(env, args[0], "fd", &fd) || !read_int(env, args[1], "level", &level) ||
      !read_int(env, args[2], "name", &name) || !read_int(env, args[3], "value", &value)) {
    return NULL;
  }
  return result(env, setsockopt(fd, level, name, &value, sizeof value));
}

static napi_value option_set_bytes(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  int32_t fd, level, name;
  Bytes value;
  if (!read_int(env, args[0], "fd", &fd) || !read_int(env, args[1], "level", &level) ||
      !read_int(env, args[2], "name", &name) || !read_bytes(env, args[3], "value", &value)) {
    return NULL;
  }
  if (value.length > OPTION_LIMIT) return number(env, -EINVAL);
  return result(env, setsockopt(fd, level, name, value.at, (socklen_t)value.length));
}

// SO_ERROR, read and cleared: how a connect that was in progress ended.
static napi_value socket_error(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  int32_t fd;
  int error = 0;
  socklen_t length = sizeof error;
  if (!read_int(env, args[0], "fd", &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return result(env, -1);
  return number(env, -error);
}

const Method socket_methods[] = {
    {"socket", socket_open},
    {"socketpair", socket_pair},
    {"bind", socket_bind},
    {"connect", socket_connect},
    {"listen", socket_listen},
    {"accept", socket_accept},
    {"lastAddress", last_address},
    {"getsockname", socket_getsockname},
    {"getpeername", socket_getpeername},
    {"shutdown", socket_shutdown},
    {"getsockopt", option_get_int},
    {"getsockoptBytes", option_get_bytes},
    {"setsockopt", option_set_int},
    {"setsockoptBytes", option_set_bytes},
    {"socketError", socket_error},
    {NULL, NULL},
};
