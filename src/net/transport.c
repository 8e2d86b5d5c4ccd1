/*
 * transport.c
 *	  How a finished transfer ended: libcurl's code and our own flags -> Transport and words for people.
 *
 * Decides nothing about retries: that is core/classify.c, which sees the Transport code only.
 */
#include <stdio.h>
#include <string.h>

#include "net/transfer.h"

/*
 * A peer that goes away in the handshake gets the code of a peer that speaks another protocol.  The first is over in a
 * minute, the second is somebody's mistake; only libcurl's words differ, from version to version, and only with OpenSSL.
 */
static bool
hung_up_in_handshake(const Transfer *transfer)
{
	return strstr(transfer->message, "SSL_connect: ") != NULL ||
		strstr(transfer->message, "unexpected eof while reading") != NULL;
}

Transport
transport_of(const Transfer *transfer, CURLcode code)
{
	if (code == CURLE_OK)
		return TRANSPORT_OK;
	if (transfer->refusal != NULL && !transfer->tried_address)
		return TRANSPORT_REFUSED_ADDRESS;
	if (transfer->too_large)
		return TRANSPORT_TOO_LARGE;
	switch (code)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			return TRANSPORT_RESOLVE;
		case CURLE_COULDNT_CONNECT:
			return TRANSPORT_CONNECT;
		case CURLE_OPERATION_TIMEDOUT:
			return TRANSPORT_TIMEOUT;
		case CURLE_SSL_CONNECT_ERROR:
			return hung_up_in_handshake(transfer) ? TRANSPORT_CUT : TRANSPORT_TLS;
		case CURLE_SSL_ENGINE_NOTFOUND:
		case CURLE_SSL_ENGINE_SETFAILED:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_USE_SSL_FAILED:
		case CURLE_SSL_ENGINE_INITFAILED:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CRL_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		case CURLE_SSL_INVALIDCERTSTATUS:
			return TRANSPORT_TLS;
		case CURLE_URL_MALFORMAT:
		case CURLE_LOGIN_DENIED:
			return TRANSPORT_URL;
		case CURLE_UNSUPPORTED_PROTOCOL:
			/* also libcurl's word for an answer that is not HTTP at all */
			return transfer->sent ? TRANSPORT_OTHER : TRANSPORT_URL;
		case CURLE_FILESIZE_EXCEEDED:
			return TRANSPORT_TOO_LARGE;
		case CURLE_PARTIAL_FILE:
		case CURLE_GOT_NOTHING:
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
			return TRANSPORT_CUT;
		default:
			return TRANSPORT_OTHER;
	}
}

/* libcurl's words, unless we know better what happened. */
void
transport_explain(Transfer *transfer, CURLcode code)
{
	char	   *message = transfer->message;
	size_t		size = sizeof(transfer->message);
	char		system_message[128];

	if (transfer->transport == TRANSPORT_OK)
		message[0] = '\0';
	else if (transfer->transport == TRANSPORT_REFUSED_ADDRESS)
		snprintf(message, size, "%s", transfer->refusal);
	else if (transfer->transport == TRANSPORT_TOO_LARGE)
		snprintf(message, size, "response is larger than %zu bytes", transfer->response.cap);
	else if (transfer->response.failed)
		snprintf(message, size, "out of memory");
	else if (transfer->socket_errno != 0)
		snprintf(message, size, "could not create socket: %s",
				 strerror_r(transfer->socket_errno, system_message, sizeof(system_message)));
	else if (message[0] == '\0')
		snprintf(message, size, "%s", curl_easy_strerror(code));
}
