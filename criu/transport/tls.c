// SPDX-License-Identifier: GPL-2.0-only
#include "transport/tls.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transport/tls_credentials.h"
#include "util/log.h"

/* Both sides are there, and have nothing else to do. */
#define HANDSHAKE_TIMEOUT_MS 20000

/* A peer that is refused may still be sending. */
#define REFUSAL_TIMEOUT_MS 1000
#define REFUSAL_READS 64

struct tls_session {
	const struct tls_calls *tls;
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	struct connection *connection;
	int raw_error; /* of the connection below */
	bool more; /* of the record that is being sent */
};

static struct tls_session *session_of(const struct connection *c)
{
	return c->codec_data;
}

/* ---- below */

static ssize_t raw_result(struct tls_session *t, ssize_t n)
{
	if (n >= 0)
		return n;
	t->raw_error = (int)n;
	/* Whatever it is: it must not be tried again. */
	t->tls->transport_set_errno(t->session, EIO);
	return -1; /* style: as the library expects it */
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t len)
{
	struct tls_session *t = arg;

	return raw_result(t, connection_raw_send(t->connection, data, len, t->more));
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *to, size_t len)
{
	struct tls_session *t = arg;

	return raw_result(t, connection_raw_recv(t->connection, to, len));
}

/* ---- above */

/* @code is an error of the library. */
static int error_of(struct tls_session *t, int code)
{
	if (t->raw_error)
		return t->raw_error;
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
		log_error("TLS: %s refuses: %s", t->connection->peer,
			  t->tls->alert_get_name(t->tls->alert_get(t->session)));
	else if (code != GNUTLS_E_PREMATURE_TERMINATION)
		log_error("TLS: %s: %s", t->connection->peer, t->tls->strerror(code));
	return -ECONNRESET;
}

static ssize_t tls_send(struct connection *c, const void *data, size_t len, bool more)
{
	struct tls_session *t = session_of(c);
	ssize_t n;

	t->more = more;
	do
		n = t->tls->record_send(t->session, data, len);
	while (n < 0 && !t->tls->error_is_fatal((int)n));
	return n < 0 ? error_of(t, (int)n) : n;
}

static ssize_t tls_recv(struct connection *c, void *to, size_t len)
{
	struct tls_session *t = session_of(c);
	ssize_t n;

	do
		n = t->tls->record_recv(t->session, to, len);
	while (n < 0 && !t->tls->error_is_fatal((int)n) && !t->raw_error);
	return n < 0 ? error_of(t, (int)n) : n;
}

static bool tls_pending(struct connection *c)
{
	return session_of(c)->tls->record_check_pending(session_of(c)->session) > 0;
}

static void free_session(struct tls_session *t)
{
	if (t->session)
		t->tls->deinit(t->session);
	t->tls->certificate_free_credentials(t->credentials);
	free(t);
}

/* On a socket that others go on to use, nothing may follow the last message. */
static void tls_close(struct connection *c)
{
	struct tls_session *t = session_of(c);

	t->more = false;
	if (c->is_tcp && !t->raw_error)
		t->tls->bye(t->session, GNUTLS_SHUT_WR);
	free_session(t);
	c->codec_data = NULL;
}

static const struct connection_codec tls_codec = {
	.send = tls_send,
	.recv = tls_recv,
	.pending = tls_pending,
	.close = tls_close,
};

/* ---- the beginning */

static int refuse_certificate(struct tls_session *t)
{
	const struct tls_calls *tls = t->tls;
	unsigned int status = tls->session_get_verify_cert_status(t->session);
	gnutls_datum_t text = { 0 };

	if (tls->certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
		return fail(-EACCES, "TLS: the certificate of %s is not valid", t->connection->peer);
	/* It ends with a space. */
	log_error("TLS: the certificate of %s: %.*s", t->connection->peer, (int)text.size - 1, (const char *)text.data);
	(*tls->free)(text.data);
	return -EACCES;
}

/*
 * Tells the peer why. Closing a connection on which something has arrived that was not read would destroy the alert on its
 * way.
 */
static void send_refusal(struct tls_session *t, int code)
{
	struct connection *c = t->connection;
	char rest[4096];

	if (t->tls->alert_send_appropriate(t->session, code) < 0 || !c->is_tcp)
		return;
	shutdown(c->fd, SHUT_WR);
	c->timeout_ms = REFUSAL_TIMEOUT_MS;
	for (int i = 0; i < REFUSAL_READS && connection_raw_recv(c, rest, sizeof(rest)) > 0; i++)
		;
}

static int shake_hands(struct tls_session *t)
{
	const char *peer = t->connection->peer;
	int code;

	do
		code = t->tls->handshake(t->session);
	while (code < 0 && !t->tls->error_is_fatal(code) && !t->raw_error);
	if (code >= 0)
		return 0;
	if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
		send_refusal(t, code);
		return refuse_certificate(t);
	}
	if (t->raw_error == -EINTR)
		return -EINTR;
	if (t->raw_error)
		return fail(t->raw_error, "TLS: handshake with %s", peer);
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return fail(-EACCES, "TLS: %s refuses the handshake: %s", peer,
			    t->tls->alert_get_name(t->tls->alert_get(t->session)));
	send_refusal(t, code);
	return fail(-EPROTO, "TLS: handshake with %s: %s%s", peer, t->tls->strerror(code),
		    code == GNUTLS_E_CERTIFICATE_REQUIRED ? "" : " Has the other side --tls, too?");
}

static int set_up(struct tls_session *t, const struct options *opts, bool server)
{
	const struct tls_calls *tls = t->tls;
	const char *name = opts->tls_no_cn_verify ? NULL : opts->address;
	int code = tls->init(&t->session, server ? GNUTLS_SERVER : GNUTLS_CLIENT);

	if (code >= 0)
		code = tls->set_default_priority(t->session);
	if (code >= 0)
		code = tls->credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, t->credentials);
	if (code < 0)
		return fail(-EIO, "TLS: %s", tls->strerror(code));
	if (server) {
		tls->certificate_server_set_request(t->session, GNUTLS_CERT_REQUIRE);
		/* Without names of CAs: a client would show none of its certificates instead of one that is refused. */
		tls->certificate_send_x509_rdn_sequence(t->session, 1);
	}
	tls->session_set_verify_cert(t->session, name, 0);
	tls->transport_set_ptr(t->session, t);
	tls->transport_set_push_function(t->session, push);
	tls->transport_set_pull_function(t->session, pull);
	return 0;
}

int tls_start(struct connection *c, const struct options *opts, bool server)
{
	const struct tls_calls *tls = tls_load();
	const int timeout_ms = c->timeout_ms;
	struct tls_session *t;
	int err;

	if (!tls)
		return -ELIBACC;
	t = calloc(1, sizeof(*t));
	if (!t)
		return fail(-ENOMEM, "TLS");
	t->tls = tls;
	t->connection = c;
	err = tls_credentials_load(tls, opts, &t->credentials);
	if (err) {
		free(t);
		return err;
	}
	c->timeout_ms = HANDSHAKE_TIMEOUT_MS;
	err = set_up(t, opts, server);
	if (!err)
		err = shake_hands(t);
	c->timeout_ms = timeout_ms;
	if (err) {
		free_session(t);
		return err;
	}
	c->codec = &tls_codec;
	c->codec_data = t;
	log_info("TLS: the certificate of %s is valid", c->peer);
	return 0;
}
