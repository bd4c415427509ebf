// Reading a call's arguments and returning its result. Every exported function starts with
// ARGUMENTS and ends with `result`; a reader that finds the wrong type has already thrown when it
// returns false, and the caller just returns NULL.
//
// Inline, because these few lines are most of what a small recv costs beyond the system call.
#ifndef CURIO_ARGUMENTS_H
#define CURIO_ARGUMENTS_H

#include "environment.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#define ARGUMENTS(n)                                                                    \
  napi_value args[n];                                                                   \
  size_t given = (n);                                                                   \
  Environment *home;                                                                    \
  if (napi_get_cb_info(env, info, &given, args, NULL, (void **)&home) != napi_ok) return NULL; \
  (void)home

// A signal may interrupt any call; none of ours has done anything yet when it is.
#define RETRY(result, call)  \
  do {                       \
    (result) = (call);       \
  } while ((result) < 0 && errno == EINTR)

typedef struct {
  uint8_t *at;
  size_t length;
} Bytes;

static inline bool wrong_type(napi_env env, const char *name, const char *expected) {
  char message[96];
  snprintf(message, sizeof message, "%s must be %s", name, expected);
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

static inline bool out_of_range(napi_env env, const char *name) {
  char message[96];
  snprintf(message, sizeof message, "%s is out of range", name);
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
  return false;
}

static inline bool is_undefined(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_undefined;
}

// Any 32-bit integer, signed or unsigned: flags such as MSG_CMSG_CLOEXEC and EPOLLET need the top
// bits. Read as a double, because napi_get_value_int32 turns NaN into descriptor 0.
static inline bool read_int(napi_env env, napi_value value, const char *name, int32_t *out) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok ||
      !(number >= INT32_MIN && number <= UINT32_MAX) || (double)(int64_t)number != number) {
    return wrong_type(env, name, "a 32-bit integer");
  }
  *out = (int32_t)(int64_t)number;
  return true;
}

static inline bool read_optional_int(napi_env env, napi_value value, const char *name,
                                     int32_t fallback, int32_t *out) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok && is_undefined(env, value)) {
    *out = fallback;
    return true;
  }
  return read_int(env, value, name, out);
}

static inline bool read_size(napi_env env, napi_value value, const char *name, size_t *out) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok || number != number) {
    return wrong_type(env, name, "a number");
  }
  if (!(number >= 0 && number <= (double)INT64_MAX) || (double)(size_t)number != number) {
    return out_of_range(env, name);
  }
  *out = (size_t)number;
  return true;
}

static inline bool read_bytes(napi_env env, napi_value value, const char *name, Bytes *out) {
  napi_typedarray_type type;
  void *data;
  if (napi_get_typedarray_info(env, value, &type, &out->length, &data, NULL, NULL) != napi_ok ||
      (type != napi_uint8_array && type != napi_uint8_clamped_array)) {
    return wrong_type(env, name, "a Uint8Array");
  }
  out->at = data;
  return true;
}

// The part [offset, offset + length) of `whole`.
static inline bool narrow(napi_env env, napi_value *args, Bytes whole, Bytes *out) {
  size_t offset, length;
  if (!read_size(env, args[0], "offset", &offset)) return false;
  if (!read_size(env, args[1], "length", &length)) return false;
  if (offset > whole.length) return out_of_range(env, "offset");
  if (length > whole.length - offset) return out_of_range(env, "length");
  out->at = whole.at + offset;
  out->length = length;
  return true;
}

// Three arguments: a Uint8Array, an offset and a length.
static inline bool read_span(napi_env env, napi_value *args, Bytes *out) {
  Bytes whole;
  return read_bytes(env, args[0], "buffer", &whole) && narrow(env, args + 1, whole, out);
}

static inline napi_value number(napi_env env, int32_t value) {
  napi_value out;
  return napi_create_int32(env, value, &out) == napi_ok ? out : NULL;
}

// What a system call returned, as JavaScript sees it. The kernel moves less than 2 GiB a call, so
// every count fits.
static inline napi_value result(napi_env env, ssize_t returned) {
  return number(env, returned < 0 ? -errno : (int32_t)returned);
}

static inline napi_value pair(napi_env env, const int fds[2]) {
  napi_value out;
  if (napi_create_array_with_length(env, 2, &out) != napi_ok) return NULL;
  napi_set_element(env, out, 0, number(env, fds[0]));
  napi_set_element(env, out, 1, number(env, fds[1]));
  return out;
}

static inline napi_value copy_of(napi_env env, const void *data, size_t length) {
  napi_value out;
  return napi_create_buffer_copy(env, length, data, NULL, &out) == napi_ok ? out : NULL;
}

#endif
