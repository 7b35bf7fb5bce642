/* SPDX-License-Identifier: GPL-2.0-only */
/* GnuTLS, which is loaded when it is needed: linked in, it and what it loads would cost every start of the program. */
#pragma once
#include <gnutls/gnutls.h>

#define TLS_CALLS(X)                             \
	X(certificate_allocate_credentials)      \
	X(certificate_free_credentials)          \
	X(certificate_set_x509_system_trust)     \
	X(certificate_set_x509_trust_file)       \
	X(certificate_set_x509_crl_file)         \
	X(certificate_set_x509_key_file)         \
	X(certificate_server_set_request)        \
	X(certificate_send_x509_rdn_sequence)    \
	X(certificate_verification_status_print) \
	X(init)                                  \
	X(deinit)                                \
	X(set_default_priority)                  \
	X(credentials_set)                       \
	X(session_set_verify_cert)               \
	X(session_get_verify_cert_status)        \
	X(transport_set_ptr)                     \
	X(transport_set_push_function)           \
	X(transport_set_pull_function)           \
	X(transport_set_errno)                   \
	X(handshake)                             \
	X(record_send)                           \
	X(record_recv)                           \
	X(record_check_pending)                  \
	X(bye)                                   \
	X(alert_get)                             \
	X(alert_get_name)                        \
	X(alert_send_appropriate)                \
	X(strerror)                              \
	X(error_is_fatal)

struct tls_calls {
#define X(name) __typeof__(gnutls_##name) *name;
	TLS_CALLS(X)
#undef X
	/* A pointer to a function pointer in the library. */
	gnutls_free_function *free;
};

/* NULL: it cannot be loaded; logged. */
const struct tls_calls *tls_load(void);
