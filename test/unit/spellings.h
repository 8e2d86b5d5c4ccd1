/*
 * spellings.h
 *	  URLs that must not be called, for the reader of URLs and for the pool that would call them.
 */
#ifndef TRIAGE_TEST_SPELLINGS_H
#define TRIAGE_TEST_SPELLINGS_H

/* Spellings that one reader of URLs takes for another host, port or scheme than the next. */
static const char *const refused[] = {
	"", "/", "//", "api.openai.com", "//api.openai.com", "api.openai.com:443", "https:", "https:/", "https:api.openai.com",
	"https:/api.openai.com", "https:\\\\api.openai.com", "https//api.openai.com", "httpss://api.openai.com",
	"ftp://api.openai.com", "file:///etc/passwd", "gopher://127.0.0.1:5432/_x", "unix:///tmp/x.sock",
	"javascript://api.openai.com", "http+unix://x", " https://api.openai.com", "\thttps://api.openai.com",
	/* empty hosts */
	"https://", "https:///", "https:///api.openai.com", "https://:443", "https://.", "https://./", "https://..",
	/* user info */
	"https://api.openai.com@evil.test", "https://user:pass@api.openai.com", "https://@api.openai.com",
	"https://api.openai.com:443@evil.test", "https://api.openai.com%40evil.test", "https://a@b@c",
	"http://127.0.0.1:80@evil.test:80/", "https://:@api.openai.com",
	/* where the host ends */
	"http://a.com#@b", "http://a.com?@b", "http://a.com#b", "http://a.com?b", "http://a.com\\@b", "http://a.com\\.b",
	"http://a.com\\/b", "http://a.com/\\@b", "http://a.com;b", "http://a.com,b", "http://a.com&b", "http://a.com:80#@b",
	"http://a.com:80?@b", "http://a.com|b", "http://a.com`b", "http://a.com\"b", "http://a.com'b", "http://a.com<b",
	"http://a.com$b", "http://a.com+b", "http://a.com=b", "http://a.com!b", "http://a.com*", "http://*.a.com",
	"http://a.com{b}", "http://a.com~b", "http://(a.com)",
	/* white space and controls, wherever they stand */
	"http://a.com b", "http://a.com\tb", "http://a.com\r\nHost: b", "http://a.com\n", "http://a.com ", "http://a.com/a b",
	"http://a.com/\r\nx", "http://a.com/\x7F", "http://a.com\v", "http://\ta.com", "http://a\x01.com", "http://a.com/\x1B[2J",
	/* percent signs and other alphabets */
	"http://%61.com", "http://a%2ecom", "http://a.com%00.b", "http://a.com%2f@b", "http://127.0.0.1%00", "http://%31%32%37.0.0.1",
	"http://a\xE3\x80\x82" "com", "http://a\xEF\xBC\x8E" "com", "http://b\xC3\xBC" "cher.example", "http://\xE2\x91\xA0.com",
	"http://\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x97.0.0.1", "http://a\xC2\xAD.com", "http://a.com\xE2\x80\x8B", "http://a\xFF.com",
	/* dots and labels */
	"https://api.openai.com..", "https://api..openai.com", "https://.api.openai.com", "https://-a.com", "https://a-.com",
	"https://a.-b", "https://a.b-",
	/* numbers in disguise */
	"http://2130706433", "http://0x7f000001", "http://0x7F000001", "http://017700000001", "http://0x7f.1", "http://0x7f.0.0.1",
	"http://127.1", "http://127.0.1", "http://0177.0.0.1", "http://127.0.0.01", "http://127.0.0.0x1", "http://127.0.0.1.",
	"http://127.0.0.1..", "http://127.0.0.1.1", "http://127.0.0.256", "http://127.0.0.", "http://.127.0.0.1", "http://127..0.1",
	"http://0", "http://0x", "http://1", "http://00.0.0.0", "http://127.0.0.1000", "http://a.1", "http://a.0x1", "http://1.2.3.a.4",
	"http://4294967296", "http://127.0.0.-1", "http://+127.0.0.1", "http://127.0.0.1e0.0",
	/* ports */
	"http://a.com:", "http://a.com:/", "http://a.com:0", "http://a.com:00", "http://a.com:080", "http://a.com:65536",
	"http://a.com:99999", "http://a.com:100000", "http://a.com:4294967376", "http://a.com:-1", "http://a.com:+80",
	"http://a.com:80a", "http://a.com:80:80", "http://a.com::80", "http://a.com: 80", "http://a.com:0x50", "http://a.com:8.0",
	"http://a.com:http", "http://a.com:\xD9\xA1",
	/* IPv6 */
	"http://::1", "http://[::1", "http://::1]", "http://[]", "http://[", "http://]", "http://[::1]]", "http://[[::1]]", "http://[::1]x",
	"http://[::1]:", "http://[::1]:0", "http://[::1].", "http://[::1%25eth0]", "http://[fe80::1%eth0]", "http://[fe80::1%25lo]",
	"http://[::1]@b", "http://x[::1]", "http://[::ffff:127.0.0.1]", "http://[::FFFF:7f00:1]", "http://[0:0:0:0:0:ffff:7f00:1]",
	"http://[0000:0000:0000:0000:0000:ffff:127.000.000.0001]", "http://[::1::]", "http://[12345::]", "http://[1:2:3:4:5:6:7:8:9]", "http://[127.0.0.1]", "http://[::ffff:0x7f.0.0.1]",
	"http://[v1.x]", "http://[a.com]", "http://[::1/]", "http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]",
};

#endif
