// What one JavaScript environment (one thread's isolate) owns inside the addon, and the shape in
// which each file hands its functions to posix.c.
//
// There are no mutable globals anywhere in native/: whatever lives longer than a call hangs on the
// Environment that every exported function receives as its data pointer. Nothing here knows
// JavaScript's driver, tasks or kernels.
#ifndef CURIO_ENVIRONMENT_H
#define CURIO_ENVIRONMENT_H

#define NAPI_VERSION 8
#include <node_api.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct Scratch Scratch;
typedef struct Readiness Readiness;

typedef struct {
  // The peer of the newest accept, or sender of the newest recvfrom: kept as bytes, so that a caller
  // who does not ask for it pays nothing.
  struct sockaddr_storage address;
  socklen_t address_length;
  Scratch *scratch;      // transfer.c; NULL until asked for
  Readiness *readiness;  // readiness.c; NULL until asked for
  uint8_t *owned;        // descriptor.c: a bit for each descriptor to close when the environment ends
  size_t owned_size;     // in bytes
} Environment;

typedef struct {
  const char *name;
  napi_callback function;
} Method;

// Each table ends with a NULL name.
extern const Method socket_methods[];
extern const Method transfer_methods[];
extern const Method message_methods[];
extern const Method descriptor_methods[];
extern const Method readiness_methods[];

napi_value constants_object(napi_env env);
napi_value error_names_object(napi_env env);
void scratch_release(Scratch *scratch);
void descriptors_close(Environment *home);

#endif
