// Socket addresses between C and JavaScript: the rules are in address.h.
//
// No names are resolved here. The one exception is the zone of a link-local literal
// ("fe80::1%eth0"), which is a table look-up in the kernel and part of the literal.
#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static int parse_ipv4(const char *host, int port, Address *out) {
  struct sockaddr_in *in = (struct sockaddr_in *)&out->storage;
  in->sin_family = AF_INET;
  in->sin_port = htons((uint16_t)port);
  out->length = sizeof *in;
  return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : EINVAL;
}

static int parse_ipv6(char *host, int port, int flowinfo, int scope, Address *out) {
  struct sockaddr_in6 *in = (struct sockaddr_in6 *)&out->storage;
  in->sin6_family = AF_INET6;
  in->sin6_port = htons((uint16_t)port);
  in->sin6_flowinfo = htonl((uint32_t)flowinfo);
  in->sin6_scope_id = (uint32_t)scope;
  out->length = sizeof *in;
  char *zone = strchr(host, '%');
  if (zone != NULL) {
    *zone++ = '\0';
    uint32_t index = if_nametoindex(zone);
    if (index == 0) return ENXIO;
    in->sin6_scope_id = index;
  }
  return inet_pton(AF_INET6, host, &in->sin6_addr) == 1 ? 0 : EINVAL;
}

static int parse_path(const void *path, size_t length, Address *out) {
  struct sockaddr_un *un = (struct sockaddr_un *)&out->storage;
  bool abstract = length > 0 && ((const char *)path)[0] == '\0';
  // A file's name needs its final zero; an abstract one is counted, zeros and all.
  size_t room = sizeof un->sun_path - (abstract ? 0 : 1);
  if (length > room) return ENAMETOOLONG;
  if (!abstract && memchr(path, '\0', length) != NULL) return EINVAL;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path, length);
  out->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
  if (length == 0) out->length = sizeof un->sun_family;  // bind: "choose a name for me"
  return 0;
}

static int parse_raw(int family, Bytes raw, Address *out) {
  if (raw.length < sizeof(sa_family_t) || raw.length > sizeof out->storage) return EINVAL;
  memcpy(&out->storage, raw.at, raw.length);
  out->length = (socklen_t)raw.length;
  return out->storage.ss_family == family ? 0 : EAFNOSUPPORT;
}

bool read_address(napi_env env, napi_value *args, Address *out) {
  int32_t family, port, flowinfo, scope;
  char text[256];
  size_t length = 0;
  Bytes raw = {(uint8_t *)text, 0};
  memset(out, 0, sizeof *out);

  if (!read_int(env, args[0], "family", &family)) return false;
  if (!read_optional_int(env, args[2], "port", 0, &port)) return false;
  if (!read_optional_int(env, args[3], "flowinfo", 0, &flowinfo)) return false;
  if (!read_optional_int(env, args[4], "scopeid", 0, &scope)) return false;

  bool is_text = napi_get_value_string_utf8(env, args[1], text, sizeof text, &length) == napi_ok;
  if (is_text) {
    raw.length = length;
  } else if (family == AF_INET || family == AF_INET6) {
    return wrong_type(env, "host", "a string");
  } else if (!read_bytes(env, args[1], "address", &raw)) {
    return false;
  }
  if (port < 0 || port > 65535) return out_of_range(env, "port");

  if (family == AF_UNIX) {
    out->error = parse_path(raw.at, raw.length, out);
  } else if (family == AF_INET || family == AF_INET6) {
    // No literal is near this long, and none holds a zero byte.
    if (length >= sizeof text - 1 || strlen(text) != length) out->error = EINVAL;
    else if (family == AF_INET) out->error = parse_ipv4(text, port, out);
    else out->error = parse_ipv6(text, port, flowinfo, scope, out);
  } else {
    out->error = is_text ? EAFNOSUPPORT : parse_raw(family, raw, out);
  }
  return true;
}

// Discussion: a Unix path is bytes. Decoding bytes that are no UTF-8 would give a name nobody can
// connect to, so those come out as they are.
static bool is_utf8(const uint8_t *at, size_t length) {
  for (size_t i = 0; i < length;) {
    uint8_t lead = at[i++];
    int more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : (lead & 0xf0) == 0xe0 ? 2
               : lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
    if (more < 0) return false;
    for (int k = 0; k < more; k++, i++) {
      if (i >= length || (at[i] & 0xc0) != 0x80) return false;
      if (k > 0) continue;
      // Overlong forms, surrogates, and what lies beyond U+10FFFF.
      if ((lead == 0xe0 && at[i] < 0xa0) || (lead == 0xed && at[i] > 0x9f) ||
          (lead == 0xf0 && at[i] < 0x90) || (lead == 0xf4 && at[i] > 0x8f)) {
        return false;
      }
    }
  }
  return true;
}

static napi_value path_value(napi_env env, const struct sockaddr_un *un, socklen_t length) {
  size_t header = offsetof(struct sockaddr_un, sun_path);
  size_t size = length > header ? length - header : 0;
  // The length of a file's name counts its final zero, sometimes more than one.
  if (size > 0 && un->sun_path[0] != '\0') size = strnlen(un->sun_path, size);
  if (!is_utf8((const uint8_t *)un->sun_path, size)) return copy_of(env, un->sun_path, size);
  napi_value out;
  return napi_create_string_utf8(env, un->sun_path, size, &out) == napi_ok ? out : NULL;
}

static napi_value host_value(napi_env env, int family, const void *host) {
  char text[INET6_ADDRSTRLEN];
  napi_value out;
  if (inet_ntop(family, host, text, sizeof text) == NULL) text[0] = '\0';
  return napi_create_string_latin1(env, text, NAPI_AUTO_LENGTH, &out) == napi_ok ? out : NULL;
}

static void append(napi_env env, napi_value array, uint32_t index, uint32_t value) {
  napi_value element;
  if (napi_create_uint32(env, value, &element) == napi_ok) {
    napi_set_element(env, array, index, element);
  }
}

napi_value address_value(napi_env env, const struct sockaddr_storage *address, socklen_t length) {
  napi_value out;
  // The kernel reports the true length even when it had to cut.
  if (length > sizeof *address) length = sizeof *address;
  if (length < sizeof address->ss_family) {
    return napi_get_null(env, &out) == napi_ok ? out : NULL;
  }
  if (address->ss_family == AF_UNIX) {
    return path_value(env, (const struct sockaddr_un *)address, length);
  }
  if (address->ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;
    if (napi_create_array_with_length(env, 2, &out) != napi_ok) return NULL;
    napi_set_element(env, out, 0, host_value(env, AF_INET, &in->sin_addr));
    append(env, out, 1, ntohs(in->sin_port));
    return out;
  }
  if (address->ss_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;
    if (napi_create_array_with_length(env, 4, &out) != napi_ok) return NULL;
    napi_set_element(env, out, 0, host_value(env, AF_INET6, &in->sin6_addr));
    append(env, out, 1, ntohs(in->sin6_port));
    append(env, out, 2, ntohl(in->sin6_flowinfo));
    append(env, out, 3, in->sin6_scope_id);
    return out;
  }
  return copy_of(env, address, length);
}
