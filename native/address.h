// Socket addresses between C and JavaScript.
//
// In: five arguments (family, host, port, flowinfo, scopeid), host a literal or a Unix path.
// Out: [host, port], [host, port, flowinfo, scopeid], a path, or raw bytes for families that
// have no form of their own here.
#ifndef CURIO_ADDRESS_H
#define CURIO_ADDRESS_H

#include "arguments.h"

#define ADDRESS_ARGUMENTS 5

typedef struct {
  struct sockaddr_storage storage;
  socklen_t length;
  int error;  // an errno, when the arguments have the right types but name no address
} Address;

// False when it has thrown. Check `error` as well: a bad literal is a negative result, no exception.
bool read_address(napi_env env, napi_value *args, Address *out);

napi_value address_value(napi_env env, const struct sockaddr_storage *address, socklen_t length);

#endif
