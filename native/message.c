// recvmsg and sendmsg: several buffers at once, and ancillary data (control messages), among it
// descriptors passed over a Unix socket. Control messages travel as [level, type, bytes]; what the
// bytes mean, JavaScript knows.
#include "address.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define CONTROL_LIMIT (1 << 20)

// All that a call allocates, so that there is one way out.
typedef struct {
  struct iovec *parts;
  size_t count;
  uint8_t *control;
  size_t control_length;
} Message;

static void message_free(Message *message) {
  free(message->parts);
  free(message->control);
}

static bool out_of_memory(napi_env env) {
  napi_throw_error(env, "ENOMEM", "out of memory");
  return false;
}

// Discussion: an element may be a getter, and a getter may detach the buffer read before it. So all
// of JavaScript's code runs first, in the first loop, and pointers are taken in the second.
static bool read_buffers(napi_env env, napi_value array, Message *message) {
  uint32_t count;
  if (napi_get_array_length(env, array, &count) != napi_ok) {
    return wrong_type(env, "buffers", "an array of Uint8Arrays");
  }
  napi_value *elements = calloc((size_t)count + 1, sizeof *elements);
  message->parts = calloc((size_t)count + 1, sizeof *message->parts);
  message->count = count;
  bool good = elements != NULL && message->parts != NULL;
  if (!good) out_of_memory(env);
  for (uint32_t i = 0; good && i < count; i++) {
    good = napi_get_element(env, array, i, &elements[i]) == napi_ok;
  }
  for (uint32_t i = 0; good && i < count; i++) {
    Bytes bytes = {NULL, 0};
    good = read_bytes(env, elements[i], "each buffer", &bytes);
    message->parts[i] = (struct iovec){.iov_base = bytes.at, .iov_len = bytes.length};
  }
  free(elements);
  return good;
}

typedef struct {
  int32_t level, type;
  Bytes data;
} Ancillary;

static bool read_ancillary(napi_env env, napi_value array, uint32_t index, Ancillary *out) {
  napi_value item, level, type, data;
  bool is_array = false;
  if (napi_get_element(env, array, index, &item) != napi_ok) return false;
  if (napi_is_array(env, item, &is_array) != napi_ok || !is_array) {
    return wrong_type(env, "each ancillary item", "[level, type, bytes]");
  }
  if (napi_get_element(env, item, 0, &level) != napi_ok ||
      napi_get_element(env, item, 1, &type) != napi_ok ||
      napi_get_element(env, item, 2, &data) != napi_ok) {
    return false;
  }
  return read_int(env, level, "ancillary level", &out->level) &&
         read_int(env, type, "ancillary type", &out->type) &&
         read_bytes(env, data, "ancillary data", &out->data);
}

// Discussion: getters could change an item between measuring and copying, so each one is read once
// and the block grows as needed.
static bool read_control(napi_env env, napi_value array, Message *message) {
  uint32_t count;
  if (is_undefined(env, array)) return true;
  if (napi_get_array_length(env, array, &count) != napi_ok) {
    return wrong_type(env, "ancillary", "an array of [level, type, bytes]");
  }
  for (uint32_t i = 0; i < count; i++) {
    Ancillary item;
    if (!read_ancillary(env, array, i, &item)) return false;
    if (item.data.length > CONTROL_LIMIT) return out_of_range(env, "ancillary data");
    size_t space = CMSG_SPACE(item.data.length);
    size_t total = message->control_length + space;
    if (total > CONTROL_LIMIT) return out_of_range(env, "ancillary data");
    uint8_t *grown = realloc(message->control, total);
    if (grown == NULL) return out_of_memory(env);
    message->control = grown;
    struct cmsghdr *header = (struct cmsghdr *)(grown + message->control_length);
    memset(header, 0, space);
    header->cmsg_level = item.level;
    header->cmsg_type = item.type;
    header->cmsg_len = CMSG_LEN(item.data.length);
    if (item.data.length > 0) memcpy(CMSG_DATA(header), item.data.at, item.data.length);
    message->control_length = total;
  }
  return true;
}

static napi_value send_message(napi_env env, napi_callback_info info) {
  ARGUMENTS(4 + ADDRESS_ARGUMENTS);
  int32_t fd, flags;
  Address to = {.length = 0};
  Message message = {0};
  napi_value out = NULL;
  // The buffers come last: see read_buffers.
  if (read_int(env, args[0], "fd", &fd) && read_control(env, args[2], &message) &&
      read_buffers(env, args[1], &message) &&
      read_optional_int(env, args[3], "flags", 0, &flags) &&
      (is_undefined(env, args[4]) || read_address(env, args + 4, &to))) {
    struct msghdr header = {
        .msg_name = to.length > 0 ? &to.storage : NULL,
        .msg_namelen = to.length,
        .msg_iov = message.parts,
        .msg_iovlen = message.count,
        .msg_control = message.control,
        .msg_controllen = message.control_length,
    };
    ssize_t n;
    if (to.error != 0) {
      out = number(env, -to.error);
    } else {
      RETRY(n, sendmsg(fd, &header, flags | MSG_NOSIGNAL));
      out = result(env, n);
    }
  }
  message_free(&message);
  return out;
}

static napi_value ancillary_value(napi_env env, struct msghdr *header) {
  napi_value list;
  uint32_t index = 0;
  if (napi_create_array(env, &list) != napi_ok) return NULL;
  uint8_t *end = (uint8_t *)header->msg_control + header->msg_controllen;
  for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item != NULL;
       item = CMSG_NXTHDR(header, item)) {
    // A message that was cut (MSG_CTRUNC) may claim more than what arrived.
    uint8_t *data = CMSG_DATA(item);
    if (item->cmsg_len < CMSG_LEN(0) || data > end) break;
    size_t length = item->cmsg_len - CMSG_LEN(0);
    if (length > (size_t)(end - data)) length = (size_t)(end - data);
    napi_value entry;
    if (napi_create_array_with_length(env, 3, &entry) != napi_ok) return NULL;
    napi_set_element(env, entry, 0, number(env, item->cmsg_level));
    napi_set_element(env, entry, 1, number(env, item->cmsg_type));
    napi_set_element(env, entry, 2, copy_of(env, data, length));
    napi_set_element(env, list, index++, entry);
  }
  return list;
}

static napi_value received_value(napi_env env, ssize_t n, struct msghdr *header) {
  napi_value out;
  napi_value ancillary = ancillary_value(env, header);
  if (ancillary == NULL || napi_create_array_with_length(env, 4, &out) != napi_ok) return NULL;
  napi_set_element(env, out, 0, number(env, (int32_t)n));
  napi_set_element(env, out, 1, ancillary);
  napi_set_element(env, out, 2, number(env, header->msg_flags & ~MSG_CMSG_CLOEXEC));
  napi_set_element(env, out, 3, address_value(env, header->msg_name, header->msg_namelen));
  return out;
}

static napi_value recv_message(napi_env env, napi_callback_info info) {
  ARGUMENTS(4);
  int32_t fd, flags;
  size_t room = 0;
  Message message = {0};
  napi_value out = NULL;
  if (!read_int(env, args[0], "fd", &fd) || !read_size(env, args[2], "ancillary size", &room) ||
      !read_optional_int(env, args[3], "flags", 0, &flags)) {
    return NULL;
  }
  if (room > CONTROL_LIMIT) {
    out_of_range(env, "ancillary size");
    return NULL;
  }
  if (read_buffers(env, args[1], &message)) {
    if (room > 0) message.control = calloc(1, room);
    if (room > 0 && message.control == NULL) {
      out = number(env, -ENOMEM);
    } else {
      struct sockaddr_storage from;
      struct msghdr header;
      ssize_t n;
      do {
        header = (struct msghdr){
            .msg_name = &from,
            .msg_namelen = sizeof from,
            .msg_iov = message.parts,
            .msg_iovlen = message.count,
            .msg_control = message.control,
            .msg_controllen = room,
        };
        // A descriptor that arrives must not leak into a child process started in between.
        n = recvmsg(fd, &header, flags | MSG_CMSG_CLOEXEC);
      } while (n < 0 && errno == EINTR);
      out = n < 0 ? result(env, n) : received_value(env, n, &header);
    }
  }
  message_free(&message);
  return out;
}

static bool read_control_length(napi_env env, napi_value value, size_t *out) {
  return read_size(env, value, "length", out) &&
         (*out <= CONTROL_LIMIT || out_of_range(env, "length"));
}

static napi_value control_length(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  size_t length;
  if (!read_control_length(env, args[0], &length)) return NULL;
  return number(env, (int32_t)CMSG_LEN(length));
}

static napi_value control_space(napi_env env, napi_callback_info info) {
  ARGUMENTS(1);
  size_t length;
  if (!read_control_length(env, args[0], &length)) return NULL;
  return number(env, (int32_t)CMSG_SPACE(length));
}

const Method message_methods[] = {
    {"recvmsg", recv_message},
    {"sendmsg", send_message},
    {"cmsgLen", control_length},
    {"cmsgSpace", control_space},
    {NULL, NULL},
};
