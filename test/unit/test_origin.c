/*
 * test_origin.c
 *	  Which URLs and which addresses may be called.  Nothing is resolved or connected here.
 */
#include "core/origin.h"

#include <arpa/inet.h>

#include "check.h"
#include "spellings.h"

/* For one URL: its origin written out, or NULL when it is refused. */
typedef struct UrlRow
{
	const char *url;
	const char *want;
} UrlRow;

static const UrlRow well_formed[] = {
	{"https://api.openai.com", "https://api.openai.com:443"},
	{"https://api.openai.com/", "https://api.openai.com:443"},
	{"https://api.openai.com/v1/chat/completions?a=b#c", "https://api.openai.com:443"},
	{"https://api.openai.com:443/v1", "https://api.openai.com:443"},
	{"https://api.openai.com:8443", "https://api.openai.com:8443"},
	{"HTTPS://API.OpenAI.Com/V1", "https://api.openai.com:443"},
	{"https://api.openai.com./v1", "https://api.openai.com:443"},
	{"https://api.openai.com.:8443/", "https://api.openai.com:8443"},
	{"http://localhost:11434/v1", "http://localhost:11434"},
	{"hTTp://LOCALHOST", "http://localhost:80"},
	{"http://127.0.0.1:11434", "http://127.0.0.1:11434"},
	{"http://0.0.0.0:1", "http://0.0.0.0:1"},
	{"http://255.255.255.255:65535", "http://255.255.255.255:65535"},
	{"http://model_server:8000/v1", "http://model_server:8000"},
	{"http://xn--bcher-kva.example", "http://xn--bcher-kva.example:80"},
	{"http://1password.test", "http://1password.test:80"},
	{"http://3com.test1a", "http://3com.test1a:80"},
	{"http://a.0xyz", "http://a.0xyz:80"},
	{"http://x0", "http://x0:80"},
	{"http://a.0x-1", "http://a.0x-1:80"},
	{"http://[::1]:8080/v1", "http://::1:8080"},
	{"http://[0:0:0:0:0:0:0:1]", "http://::1:80"},
	{"https://[2001:DB8:0::00A]", "https://2001:db8::a:443"},
	{"http://[fd00::1]/", "http://fd00::1:80"},
	/* behind the path's slash these are only characters */
	{"https://api.openai.com/@evil.test", "https://api.openai.com:443"},
	{"https://api.openai.com/a%20b:80", "https://api.openai.com:443"},
	{"https://api.openai.com/\xC3\xA9", "https://api.openai.com:443"},
};

static const char *
written(const Origin *origin)
{
	static char text[300];

	snprintf(text, sizeof(text), "%s://%s:%d", origin->https ? "https" : "http", origin->host, origin->port);
	return text;
}

static void
urls_are_read_to_one_spelling(void)
{
	for (size_t i = 0; i < sizeof(well_formed) / sizeof(well_formed[0]); i++)
	{
		int			before = check_failures;
		Origin		origin;
		const char *why = "not set";

		CHECK(origin_parse(well_formed[i].url, &origin, &why));
		CHECK_STR(written(&origin), well_formed[i].want);
		CHECK(why == NULL);
		CHECK(origin_parse(well_formed[i].url, &origin, NULL));
		CHECK_ROW(before, "%s", well_formed[i].url);
	}
}

static void
ambiguous_urls_are_refused_with_a_reason(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		int			before = check_failures;
		Origin		origin;
		const char *why = NULL;

		CHECK(!origin_parse(refused[i], &origin, &why));
		CHECK(why != NULL && why[0] != '\0');
		CHECK(!origin_parse(refused[i], &origin, NULL));
		CHECK(!origin_parse_exact(refused[i], &origin, NULL));
		CHECK_ROW(before, "%s", refused[i]);
	}
	CHECK(sizeof(refused) / sizeof(refused[0]) >= 40);
}

/* The reason names what is wrong, so that nobody has to guess. */
static void
reasons_name_the_fault(void)
{
	static const struct
	{
		const char *url;
		const char *part;
	}			rows[] = {
		{"ftp://a.com", "begin with"}, {"http://a.com\n", "white space"}, {"http://a\\b", "backslash"},
		{"http://u@b", "user name"}, {"http://%61", "percent"}, {"http://a?b", "slash or nothing"},
		{"http://\xC3\xA9", "ASCII"}, {"http://", "empty"}, {"http://a..b", "empty part"}, {"http://-a", "hyphen"},
		{"http://a!b", "character"}, {"http://127.1", "four decimal"}, {"http://a:0", "port"}, {"http://[::1]x", "malformed"},
		{"http://[::1", "IPv6"}, {"http://[::ffff:1.2.3.4]", "four decimal"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		Origin		origin;
		const char *why = NULL;

		CHECK(!origin_parse(rows[i].url, &origin, &why));
		CHECK_CONTAINS(why, rows[i].part);
	}
}

static void
long_names_are_refused(void)
{
	char		url[400];
	Origin		origin;
	const char *why = NULL;

	/* labels of 63, 64; names of 253, 254 */
	snprintf(url, sizeof(url), "http://%063d.a", 0);
	CHECK(origin_parse(url, &origin, &why));
	snprintf(url, sizeof(url), "http://%064d.a", 0);
	CHECK(!origin_parse(url, &origin, &why));
	CHECK_CONTAINS(why, "63");
	snprintf(url, sizeof(url), "http://%063d.%063d.%063d.%060da", 0, 0, 0, 0);
	CHECK(origin_parse(url, &origin, &why));
	CHECK_INT(strlen(origin.host), 253);
	snprintf(url, sizeof(url), "http://%063d.%063d.%063d.%061da", 0, 0, 0, 0);
	CHECK(!origin_parse(url, &origin, &why));
	CHECK_CONTAINS(why, "253");
}

static void
exact_origin_has_no_path(void)
{
	Origin		origin;
	const char *why = NULL;

	CHECK(origin_parse_exact("https://a.com", &origin, &why));
	CHECK(why == NULL);
	CHECK(origin_parse_exact("https://a.com/", &origin, NULL));
	CHECK(origin_parse_exact("http://[::1]:80/", &origin, NULL));
	CHECK(!origin_parse_exact("https://a.com/v1", &origin, &why));
	CHECK_CONTAINS(why, "path");
	CHECK(!origin_parse_exact("https://a.com//", &origin, NULL));
	CHECK(!origin_parse_exact("https://a.com/?", &origin, NULL));
	CHECK(!origin_parse_exact("https://a.com/#", &origin, NULL));
}

static bool
same(const char *a, const char *b)
{
	Origin		left;
	Origin		right;

	CHECK(origin_parse(a, &left, NULL));
	CHECK(origin_parse(b, &right, NULL));
	return origin_equal(&left, &right);
}

static void
scheme_host_and_port_make_an_origin(void)
{
	CHECK(same("https://a.com", "HTTPS://A.com.:443/x"));
	CHECK(same("http://[::1]", "http://[0::0:1]:80"));
	CHECK(!same("https://a.com", "http://a.com"));
	CHECK(!same("https://a.com:80", "http://a.com:80"));
	CHECK(!same("https://a.com", "https://a.com:8443"));
	CHECK(!same("https://a.com", "https://b.com"));
	CHECK(!same("https://a.com", "https://a.co"));
	CHECK(!same("http://127.0.0.1", "http://localhost"));
}

static const char allow_list[] =
	"https://api.openai.com, http://127.0.0.1:11434,\n\thttps://[2001:db8::1]:8443/ ,https://Example.TEST";

static void
listed_origins_may_be_called(void)
{
	static const char *const urls[] = {
		"https://api.openai.com/v1/chat/completions", "https://api.openai.com:443/v1", "https://API.OPENAI.COM./v1",
		"http://127.0.0.1:11434/v1", "https://[2001:DB8:0:0::1]:8443/x", "https://example.test",
	};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
	{
		int			before = check_failures;
		const char *why = "not set";

		CHECK(origin_listed(allow_list, urls[i], &why));
		CHECK(why == NULL);
		CHECK_ROW(before, "%s", urls[i]);
	}
}

static void
whatever_is_not_listed_may_not(void)
{
	static const char *const urls[] = {
		"http://api.openai.com/v1", "https://api.openai.com:8443/v1", "https://api.openai.com:80",
		"https://api.openai.com.evil.test/v1", "https://evil.test/api.openai.com", "https://evil.test/https://api.openai.com",
		"https://xapi.openai.com", "https://openai.com", "https://www.api.openai.com", "https://api-openai.com",
		"https://api.openai.co", "https://api.openai.comm", "https://api.openai.com@evil.test/", "https://api.openai.com#@evil.test",
		"https://evil.test?https://api.openai.com", "https://evil.test#api.openai.com", "https://api.openai.com\\.evil.test",
		"https://api.openai.com%2eevil.test", "https://evil.test\t.api.openai.com", "https://api\xE3\x80\x82openai.com",
		"http://127.0.0.1", "http://127.0.0.1:11435", "http://127.0.0.1:11434@evil.test", "http://127.1:11434",
		"http://2130706433:11434", "http://0x7f000001:11434", "http://0177.0.0.1:11434", "http://[::ffff:127.0.0.1]:11434",
		"http://localhost:11434", "http://[::1]:11434", "http://127.0.0.1.:11434", "http://127.0.0.1:011434",
		"http://127.0.0.1:76970", "https://127.0.0.1:11434", "https://[2001:db8::1]", "https://[2001:db8::2]:8443",
		"https://[2001:db8::1%25eth0]:8443", "http://[2001:db8::1]:8443", "https://example.test.evil.test", "https:example.test",
		"https://example.test:0", "https://", "", "*",
	};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
	{
		int			before = check_failures;
		const char *why = NULL;

		CHECK(!origin_listed(allow_list, urls[i], &why));
		CHECK(why != NULL);
		CHECK_ROW(before, "%s", urls[i]);
	}
}

static void
empty_or_malformed_list_allows_nothing(void)
{
	static const char *const lists[] = {
		"", "  ", "*", ",", ",,", "https://*", "api.openai.com", "https://api.openai.com/v1", "https://user@api.openai.com",
		"https://api.openai.com https://b.test", "https://api.openai.com;https://b.test", "\"https://api.openai.com\"",
	};
	char		bad[400];
	const char *why = NULL;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		CHECK(!origin_listed(lists[i], "https://api.openai.com", &why));
	CHECK(!origin_listed(NULL, "https://api.openai.com", &why));
	CHECK_CONTAINS(why, "empty");
	/* a bad entry does not spoil its neighbours */
	CHECK(origin_listed("nonsense,https://api.openai.com,", "https://api.openai.com/v1", NULL));
	/* an entry longer than any origin is no entry, though it would fit a smaller one in front */
	memset(bad, 'a', sizeof(bad) - 1);
	memcpy(bad, "https://a.com/", 14);
	bad[sizeof(bad) - 1] = '\0';
	CHECK(!origin_listed(bad, "https://a.com", NULL));
}

static void
first_malformed_entry_is_named(void)
{
	char		bad[32];
	char		tiny[8];
	const char *why = NULL;

	CHECK(origin_list_valid(allow_list, bad, sizeof(bad), &why));
	CHECK(why == NULL);
	CHECK_STR(bad, "");
	CHECK(origin_list_valid("", bad, sizeof(bad), &why));
	CHECK(origin_list_valid(NULL, bad, sizeof(bad), NULL));
	CHECK(!origin_list_valid("https://a.com, https://b/x ,c", bad, sizeof(bad), &why));
	CHECK_STR(bad, "https://b/x");
	CHECK_CONTAINS(why, "path");
	CHECK(!origin_list_valid("https://a.com,", bad, sizeof(bad), &why));
	CHECK_STR(bad, "");
	CHECK_CONTAINS(why, "empty");
	CHECK(!origin_list_valid("a", NULL, 0, &why));
	/* clipped between two characters */
	CHECK(!origin_list_valid("http:/\xC3\xA9/x", tiny, sizeof(tiny), &why));
	CHECK_STR(tiny, "http:/");
	CHECK(!origin_list_valid("https://0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
							 "8901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
							 "234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
							 "8901234567890123456789012345678901234567890123456789", bad, sizeof(bad), &why));
	CHECK_CONTAINS(why, "too long");
	CHECK_INT(strlen(bad), sizeof(bad) - 1);
}

typedef struct AddressRow
{
	const char *address;
	bool		https;
	bool		http;
} AddressRow;

static const AddressRow addresses[] = {
	/* loopback and private, and their neighbours on both sides */
	{"127.0.0.1", true, true}, {"127.255.255.255", true, true}, {"126.255.255.255", true, false}, {"128.0.0.0", true, false},
	{"10.0.0.0", true, true}, {"10.255.255.255", true, true}, {"9.255.255.255", true, false}, {"11.0.0.0", true, false},
	{"172.16.0.0", true, true}, {"172.31.255.255", true, true}, {"172.15.255.255", true, false}, {"172.32.0.0", true, false},
	{"192.168.0.0", true, true}, {"192.168.255.255", true, true}, {"192.167.255.255", true, false}, {"192.169.0.0", true, false},
	/* shared address space is not private: it is somebody else's network */
	{"100.64.0.1", true, false}, {"100.100.100.200", true, false}, {"100.127.255.255", true, false},
	{"93.184.216.34", true, false}, {"8.8.8.8", true, false},
	/* never */
	{"0.0.0.0", false, false}, {"0.255.255.255", false, false}, {"1.0.0.0", true, false},
	{"169.254.169.254", false, false}, {"169.254.0.0", false, false}, {"169.254.255.255", false, false},
	{"169.253.255.255", true, false}, {"169.255.0.0", true, false},
	{"224.0.0.1", false, false}, {"239.255.255.255", false, false}, {"223.255.255.255", true, false}, {"240.0.0.1", true, false},
	{"255.255.255.255", false, false}, {"255.255.255.254", true, false},
	/* IPv6 */
	{"::1", true, true}, {"::", false, false}, {"fc00::1", true, true}, {"fdff:ffff::1", true, true}, {"fe00::1", true, false},
	{"fbff::1", true, false}, {"fe80::1", false, false}, {"febf::1", false, false}, {"fec0::1", true, false},
	{"fe7f::1", true, false}, {"ff02::1", false, false}, {"ff00::", false, false}, {"2606:4700::1111", true, false},
	{"fd00:ec2::254", false, false}, {"fd00:ec2::253", true, true}, {"fd20:ce::254", false, false},
	/* IPv4 inside IPv6 is judged as the IPv4 that it reaches */
	{"::ffff:127.0.0.1", true, true}, {"::ffff:10.1.2.3", true, true}, {"::ffff:8.8.8.8", true, false},
	{"::ffff:169.254.169.254", false, false}, {"::ffff:0.0.0.0", false, false}, {"::ffff:224.0.0.1", false, false},
	{"::ffff:0:169.254.169.254", false, false}, {"::ffff:0:8.8.8.8", true, false},
	{"64:ff9b::a9fe:a9fe", false, false}, {"64:ff9b::808:808", true, false}, {"64:ff9b::a00:1", true, true},
	{"64:ff9b:1::a9fe:a9fe", false, false}, {"64:ff9b:1::808:808", true, false}, {"64:ff9b:2::a9fe:a9fe", true, false},
	{"2002:a9fe:a9fe::1", false, false}, {"2002:808:808::1", true, false}, {"2002:7f00:1::", true, true},
	{"::169.254.169.254", false, false}, {"::8.8.8.8", true, false}, {"::127.0.0.1", true, true}, {"::2", false, false},
};

static void
addresses_are_judged_by_their_range(void)
{
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
	{
		const AddressRow *row = &addresses[i];
		bool		six = strchr(row->address, ':') != NULL;
		int			before = check_failures;
		uint8_t		bytes[16];
		const char *why = NULL;

		CHECK(inet_pton(six ? AF_INET6 : AF_INET, row->address, bytes) == 1);
		CHECK_INT(origin_address_allowed(bytes, six ? 16 : 4, true, &why), row->https);
		CHECK_INT(why == NULL, row->https);
		CHECK_INT(origin_address_allowed(bytes, six ? 16 : 4, false, &why), row->http);
		CHECK_INT(why == NULL, row->http);
		CHECK_INT(origin_address_allowed(bytes, six ? 16 : 4, false, NULL), row->http);
		CHECK_ROW(before, "%s", row->address);
	}
}

static void
addresses_of_other_families_are_refused(void)
{
	const uint8_t bytes[32] = {127, 0, 0, 1};
	const size_t lengths[] = {0, 1, 3, 5, 6, 8, 15, 17, 32};
	const char *why;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		why = NULL;
		CHECK(!origin_address_allowed(bytes, lengths[i], true, &why));
		CHECK(!origin_address_allowed(bytes, lengths[i], false, &why));
		CHECK_CONTAINS(why, "neither");
	}
}

static void
loopback_is_known_by_its_spelling(void)
{
	static const struct
	{
		const char *text;
		bool		loopback;
	}			rows[] = {
		{"http://127.0.0.1:11434", true}, {"http://127.200.3.4", true}, {"http://localhost:80", true}, {"http://LOCALHOST", true},
		{"https://[::1]:8443", true}, {"http://[0:0:0:0:0:0:0:1]", true},
		{"http://128.0.0.1", false}, {"http://10.0.0.1", false}, {"http://[::2]", false}, {"http://[fd00::1]", false},
		{"http://localhost.example", false}, {"http://127.example", false}, {"https://api.example.com", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		int			before = check_failures;
		Origin		origin;
		const char *why = NULL;

		CHECK(origin_parse_exact(rows[i].text, &origin, &why));
		CHECK_INT(origin_is_loopback(&origin), rows[i].loopback);
		CHECK_ROW(before, "%s", rows[i].text);
	}
}

static const CheckTest tests[] = {
	CHECK_TEST(urls_are_read_to_one_spelling),
	CHECK_TEST(ambiguous_urls_are_refused_with_a_reason),
	CHECK_TEST(reasons_name_the_fault),
	CHECK_TEST(long_names_are_refused),
	CHECK_TEST(exact_origin_has_no_path),
	CHECK_TEST(scheme_host_and_port_make_an_origin),
	CHECK_TEST(listed_origins_may_be_called),
	CHECK_TEST(whatever_is_not_listed_may_not),
	CHECK_TEST(empty_or_malformed_list_allows_nothing),
	CHECK_TEST(first_malformed_entry_is_named),
	CHECK_TEST(addresses_are_judged_by_their_range),
	CHECK_TEST(addresses_of_other_families_are_refused),
	CHECK_TEST(loopback_is_known_by_its_spelling),
};

int
main(void)
{
	return check_run_all(tests);
}
