/*
 * test_builtin_talk.c
 *	  The provider that is no language model: it answers no question, and its summary is made of the conversation's words.
 */
#include <stdlib.h>

#include <json-c/json.h>

#include "check.h"
#include "core/builtin_talk.h"
#include "core/verdict.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static Speech
say(Speaker speaker, const char *text)
{
	return (Speech) {speaker, text, strlen(text)};
}

static const Category labels[] = {
	{"TIME/punch_in_out", "Recording work time: clocking in and out, breaks. Keywords: punch, clock in, break, geofence"},
	{"TIME/reporting", "Reports and exports of hours. Keywords: report, export, csv"},
	{"PAYROLL/reporting", "Reports and exports of pay. Keywords: report, journal, csv"},
	{"PAYROLL/direct_deposits", "Paying wages to bank accounts. Keywords: deposit, bank, routing number"},
};
static const Offer areas = {.labels = labels, .label_count = (int) COUNT(labels), .text_count = 1};

static json_object *
converse(JobKind kind, const char *heading, const Speech *speeches, int count)
{
	const Conversation conversation = {heading, strlen(heading), speeches, count};
	Verdict		verdict;
	json_object *object;

	CHECK(builtin_converse(kind, &conversation, &areas, &verdict));
	object = json_tokener_parse(verdict.object);
	CHECK(object != NULL);
	verdict_free(&verdict);
	return object;
}

static const char *
text_of(json_object *object, const char *key)
{
	json_object *value = NULL;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : NULL;
}

static void
reply_is_in_the_customers_language_and_hands_over(void)
{
	static const struct
	{
		const char *text;
		const char *reply;
	}			rows[] = {
		{"I cannot sign in and it is urgent, what can you do for me?", "Thank you for your message."},
		{"Ich kann mich nicht anmelden, und das ist dringend. Was kann ich tun?", "Vielen Dank für Ihre Nachricht."},
		{"Bonjour, je ne peux pas me connecter avec mon mot de passe et le site est lent", "Merci pour votre message."},
		{"Hola, no puedo entrar con mi cuenta y es urgente. Gracias por la ayuda", "Gracias por su mensaje."},
		{"Buongiorno, non riesco a entrare con il mio account e che cosa posso fare per la password", "Grazie per il suo messaggio."},
		{"Ola, eu nao consigo entrar com a minha conta e o site nao abre para mim", "Obrigado pela sua mensagem."},
		{"Ik kan niet inloggen met mijn wachtwoord en het is voor een klant", "Bedankt voor uw bericht."},
		/* not to be told */
		{"ERR_CONNECTION_RESET 0x80070005", "Thank you for your message."},
		{"\xE4\xBD\xA0\xE5\xA5\xBD", "Thank you for your message."},
		{"", "Thank you for your message."},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		int			before = check_failures;
		Speech		speech = say(SPEAKER_CUSTOMER, rows[i].text);
		json_object *answer = converse(KIND_CHAT_REPLY, "", &speech, 1);

		CHECK_CONTAINS(text_of(answer, "reply"), rows[i].reply);
		CHECK_STR(text_of(answer, "action"), "escalate");
		CHECK_STR(text_of(answer, "cause"), "missing_knowledge");
		CHECK_STR(text_of(answer, "reason"), "no language model is configured");
		CHECK_STR(text_of(answer, "confidence"), NULL);
		CHECK_STR(text_of(answer, "sentiment_score"), NULL);
		json_object_put(answer);
		CHECK_ROW(before, "%s", rows[i].text);
	}
}

static void
only_the_customer_decides_on_the_language(void)
{
	const Speech speeches[] = {say(SPEAKER_CUSTOMER, "Ich habe eine Frage und bitte um Hilfe mit der Rechnung"),
	say(SPEAKER_ASSISTANT, "What is the number of the invoice that you have for this?")};
	json_object *answer = converse(KIND_CHAT_REPLY, "", speeches, 2);

	CHECK_CONTAINS(text_of(answer, "reply"), "Vielen Dank");
	json_object_put(answer);
}

static void
summary_quotes_first_and_last_words(void)
{
	const Speech speeches[] = {say(SPEAKER_CUSTOMER, "My invoice is\nwrong."), say(SPEAKER_AGENT, "Which one?"),
	say(SPEAKER_CUSTOMER, "The last one! This is an outrage.")};
	json_object *answer = converse(KIND_SUMMARIZE, "Invoice", speeches, 3);

	CHECK_STR(text_of(answer, "summary"), "Subject: Invoice\nThe customer began with: My invoice is wrong.\n"
			  "The customer's latest message: The last one! This is an outrage.\n"
			  "3 messages so far. No language model has read them.");
	CHECK_STR(text_of(answer, "customer_request"), "My invoice is wrong.");
	CHECK_STR(text_of(answer, "open_questions"), "[ ]");
	CHECK_STR(text_of(answer, "language"), "en");
	CHECK(atoi(text_of(answer, "sentiment_score")) > 3);
	json_object_put(answer);
}

static void
nothing_said_is_summarised_too(void)
{
	const Speech agent = say(SPEAKER_AGENT, "Hello?");
	json_object *answer = converse(KIND_SUMMARIZE, "", NULL, 0);

	CHECK_STR(text_of(answer, "summary"), "0 messages so far. No language model has read them.");
	json_object_put(answer);
	answer = converse(KIND_SUMMARIZE, "", &agent, 1);
	CHECK_STR(text_of(answer, "summary"), "1 message so far. No language model has read them.");
	CHECK_STR(text_of(answer, "customer_request"), NULL);
	CHECK_STR(text_of(answer, "sentiment_score"), NULL);
	CHECK_STR(text_of(answer, "open_questions"), "[ ]");
	json_object_put(answer);
}

static void
questions_are_the_customers_sentences(void)
{
	static const char *const rows[][2] = {
		{"When? Who?", "[ \"When?\", \"Who?\" ]"},
		{"It fails. Why is that? Thanks", "[ \"Why is that?\" ]"},
		{"Really?! See http://x/?a=1 now", "[ ]"},
		{"why\nwhen is it?", "[ \"when is it?\" ]"},
		{"?", "[ ]"},
		{" \"Why?\" he asked", "[ \"\\\"Why?\" ]"},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		int			before = check_failures;
		const Speech speeches[] = {say(SPEAKER_AGENT, "May I ask?"), say(SPEAKER_CUSTOMER, rows[i][0])};
		json_object *answer = converse(KIND_SUMMARIZE, "", speeches, 2);

		CHECK_STR(text_of(answer, "open_questions"), rows[i][1]);
		json_object_put(answer);
		CHECK_ROW(before, "%s", rows[i][0]);
	}
}

static void
newest_ten_questions_are_kept(void)
{
	char		text[2000] = "";
	Speech		speeches[2];
	json_object *answer;
	json_object *questions = NULL;

	for (int i = 0; i < 12; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "Question %d? ", i);
	speeches[0] = say(SPEAKER_CUSTOMER, "Before?");
	speeches[1] = say(SPEAKER_CUSTOMER, text);
	answer = converse(KIND_SUMMARIZE, "", speeches, 2);
	CHECK(json_object_object_get_ex(answer, "open_questions", &questions));
	CHECK_INT(json_object_array_length(questions), 10);
	CHECK_STR(json_object_get_string(json_object_array_get_idx(questions, 0)), "Question 2?");
	CHECK_STR(json_object_get_string(json_object_array_get_idx(questions, 9)), "Question 11?");
	json_object_put(answer);
}

/* Whatever is said, the answer passes the check that a model's has to pass. */
static void
long_and_odd_texts_stay_within_the_limits(void)
{
	static const char *const pieces[] = {"a ", "\xE2\x82\xAC", "why? ", "\x01", "\xFF", "?\n", "\""};

	for (size_t i = 0; i < COUNT(pieces); i++)
	{
		char	   *text = malloc(70000);
		size_t		len = 0;
		int			before = check_failures;
		json_object *answer;
		Speech		speeches[2];

		while (len < 60000)
		{
			memcpy(text + len, pieces[i], strlen(pieces[i]));
			len += strlen(pieces[i]);
		}
		text[len] = '\0';
		speeches[0] = speeches[1] = say(SPEAKER_CUSTOMER, text);
		for (int kind = KIND_TRIAGE + 1; kind < KIND_COUNT; kind++)
		{
			answer = converse((JobKind) kind, text, speeches, 2);
			json_object_put(answer);
		}
		free(text);
		CHECK_ROW(before, "%s", pieces[i]);
	}
}

typedef struct IssueRow
{
	const char *heading;
	const char *text;
	const char *area;			/* NULL: no issue */
	const char *type;
	const char *severity;
	const char *summary;
	const char *quote;
} IssueRow;

static const IssueRow issue_rows[] = {
	{"Punches are lost", "Hello,\nwhen I punch in, nothing happens. It is urgent!", "TIME/punch_in_out", "data_issue", "high",
	"Punches are lost", "when I punch in, nothing happens."},
	{"", "The deposits never arrived at the bank. Please add a warning.", "PAYROLL/direct_deposits", "feature_request", "medium",
	"The deposits never arrived at the bank.", "The deposits never arrived at the bank."},
	{"How do I find my clocking", "How do I see yesterday's breaks?", "TIME/punch_in_out", "ux_confusion", "low",
	"How do I find my clocking", "How do I see yesterday's breaks?"},
	/* an underscore in a label's name joins words */
	{"Our direct deposits", "are late", "PAYROLL/direct_deposits", "friction", "medium", "Our direct deposits", "are late"},
	/* what two labels have alike tells neither; nor do small words, nor nothing */
	{"The report", "csv, please", .area = NULL},
	{"Hello", "This is about something else, and where are you?", .area = NULL},
	{"", "", .area = NULL},
	{"\xE4\xBD\xA0\xE5\xA5\xBD", "\xE4\xBD\xA0", .area = NULL},
};

static void
issue_is_where_the_words_are(void)
{
	for (size_t i = 0; i < COUNT(issue_rows); i++)
	{
		const IssueRow *row = &issue_rows[i];
		int			before = check_failures;
		const Speech speeches[] = {say(SPEAKER_AGENT, "bank bank deposit routing"), say(SPEAKER_CUSTOMER, row->text)};
		json_object *answer = converse(KIND_EXTRACT_ISSUES, row->heading, speeches, 2);
		json_object *issues = json_object_object_get(answer, "issues");
		json_object *issue = json_object_array_get_idx(issues, 0);

		CHECK_INT(json_object_array_length(issues), row->area != NULL);
		if (row->area != NULL && issue != NULL)
		{
			CHECK_STR(text_of(issue, "area"), row->area);
			CHECK_STR(text_of(issue, "issue_type"), row->type);
			CHECK_STR(text_of(issue, "severity"), row->severity);
			CHECK_STR(text_of(issue, "summary"), row->summary);
			CHECK_STR(text_of(issue, "quote"), row->quote);
			CHECK_STR(text_of(issue, "confidence"), NULL);
		}
		json_object_put(answer);
		CHECK_ROW(before, "%s: %s", row->heading, row->text);
	}
}

static void
clusters_are_not_judged_and_bear_the_first_issues_words(void)
{
	const Speech speeches[] = {say(SPEAKER_ISSUE, " \n"), say(SPEAKER_ISSUE, "Punches are\nlost"), say(SPEAKER_ISSUE, "more")};
	json_object *answer = converse(KIND_MATCH_ISSUES, "", speeches, 3);

	CHECK_INT(json_object_array_length(json_object_object_get(answer, "matches")), 0);
	json_object_put(answer);
	answer = converse(KIND_NAME_CLUSTER, "", speeches, 3);
	CHECK_STR(text_of(answer, "name"), "Punches are lost");
	CHECK_STR(text_of(answer, "summary"), "Punches are lost");
	json_object_put(answer);
	answer = converse(KIND_NAME_CLUSTER, "", speeches, 1);
	CHECK_STR(text_of(answer, "name"), "?");
	json_object_put(answer);
}

int
main(void)
{
	static const CheckTest tests[] = {
		CHECK_TEST(reply_is_in_the_customers_language_and_hands_over),
		CHECK_TEST(only_the_customer_decides_on_the_language),
		CHECK_TEST(summary_quotes_first_and_last_words),
		CHECK_TEST(nothing_said_is_summarised_too),
		CHECK_TEST(questions_are_the_customers_sentences),
		CHECK_TEST(newest_ten_questions_are_kept),
		CHECK_TEST(long_and_odd_texts_stay_within_the_limits),
		CHECK_TEST(issue_is_where_the_words_are),
		CHECK_TEST(clusters_are_not_judged_and_bear_the_first_issues_words),
	};

	return check_run_all(tests);
}
