/*
 * test_builtin.c
 *	  The builtin provider: what its lexicon makes of tickets, and what it writes.
 *
 * The sentences here are for development: the lexicon was made with them at hand.  Its accuracy is measured elsewhere,
 * on tickets that were labelled apart from it.
 */
#include <stdlib.h>
#include <time.h>

#include "check.h"
#include "core/builtin.h"
#include "core/lexicon.h"
#include "core/utf8.h"
#include "core/verdict.h"

static const Category categories[] =
{
	{"technical", ""}, {"billing", ""}, {"general", ""}, {"feature_request", ""}, {"bug_report", ""}, {"returns", ""},
};

static const BuiltinScores sure = {.category = 0, .best = 4, .second = 0.5};

static TicketInput
ticket_of(const char *subject, const char *description)
{
	return (TicketInput) {
		.subject = subject, .subject_len = strlen(subject),
		.description = description, .description_len = strlen(description)
	};
}

static Verdict
answer(const char *subject, const char *description)
{
	TicketInput ticket = ticket_of(subject, description);
	Verdict		verdict;

	CHECK(builtin_answer(&ticket, categories, &sure, &verdict));
	return verdict;
}

static Priority
urgency_of(const char *description)
{
	Verdict		verdict = answer("", description);
	Priority	urgency = verdict.urgency;

	verdict_free(&verdict);
	return urgency;
}

static int
sentiment_of(const char *description)
{
	Verdict		verdict = answer("", description);
	int			sentiment = verdict.sentiment_score;

	verdict_free(&verdict);
	return sentiment;
}

#define LOW PRIORITY_LOW
#define MED PRIORITY_MEDIUM
#define HIGH PRIORITY_HIGH
#define URG PRIORITY_URGENT

/* calm 1 to 4, annoyed 5 to 7, furious 8 to 10 */
typedef enum Mood
{
	CALM,
	ANNOYED,
	FURIOUS
} Mood;

typedef struct Sample
{
	const char *subject;
	const char *description;
	Priority	urgency;
	Mood		mood;
} Sample;

static const Sample samples[] =
{
	{"Website down", "Our web shop has been down since this morning and customers cannot place orders.", URG, CALM},
	{"Production outage", "The API returns 503 for every request. All our users are affected.", URG, CALM},
	{"Account hacked", "Somebody logged in from abroad and changed my bank details. Please lock the account immediately.", URG, CALM},
	{"Charger smoking", "The charger I got from you began smoking and there was a burning smell.", URG, CALM},
	{"All data gone", "After the migration all our data is gone. We need it back today!", URG, CALM},
	{"We are losing money every minute", "Checkout fails with a payment error for everyone. Please fix this now.", URG, CALM},
	{"URGENT: cannot process payments", "The card terminal stopped working in the whole store.", URG, CALM},
	{"Unauthorized charges", "There are five charges on my card that were not made by me. I think this is fraud.", URG, CALM},
	{"Nobody can log in", "Since 8 o'clock none of us can sign in, the whole office stands still.", URG, CALM},
	{"Payroll export fails", "Salaries must go out by tomorrow and the export fails with error 500.", URG, CALM},
	{"Customer data visible to others", "I can see other customers invoices when I change the number in the address. This is a data leak.", URG, CALM},

	{"Cannot log in", "I can't log in to my account since yesterday. The password reset mail never arrived.", HIGH, CALM},
	{"Charged twice", "You charged me twice for the March invoice. Please refund one of the payments.", HIGH, CALM},
	{"Locked out", "My account is locked after three attempts and I need it for my work.", HIGH, CALM},
	{"App crashes at start", "The app crashes every time I open it, so I can't use it at all.", HIGH, CALM},
	{"VPN not connecting", "The VPN does not connect on my laptop and I am unable to work from home.", HIGH, CALM},
	{"Deadline on Friday", "The report generator is broken and we must hand in the figures by Friday.", HIGH, CALM},
	{"Still no refund", "It has been three weeks and I still have not received my refund. Third time I write. Unacceptable!", HIGH, ANNOYED},
	{"Terrible service", "You keep ignoring me! I was charged again after cancelling. This is a scam, I will call my lawyer!!!", HIGH, FURIOUS},
	{"Printer offline", "The office printer has been offline for two days and nothing prints.", HIGH, CALM},
	{"Order never arrived", "My order never arrived and nobody answers my mails. I am very disappointed.", HIGH, ANNOYED},
	{"Sync isn't working", "Calendar sync isn't working for my account any more, I miss meetings.", HIGH, CALM},
	{"Broken again", "IT IS BROKEN AGAIN!!! I am so sick of this useless software. FIX IT NOW!", HIGH, FURIOUS},

	{"Export button misplaced label", "The export shows the wrong currency symbol in one column.", MED, CALM},
	{"Change of address", "We have moved. Please change the billing address of our company to the one below.", MED, CALM},
	{"Slow reports", "Reports load slowly in the evening, about ten seconds each.", MED, CALM},
	{"Invoice copy", "Please send me the invoice for May, I need it for my accountant.", MED, CALM},
	{"Error when uploading", "I get an error when I upload pictures larger than 5 MB. Smaller ones are fine.", MED, CALM},
	{"Update payment method", "My card expires next month, I want to change it to a new one.", MED, CALM},
	{"New laptop setup", "I got a new laptop and need the mail client configured.", MED, CALM},
	{"Search results wrong", "Searching for a name sometimes shows duplicates.", MED, CALM},
	{"Refund request", "I would like a refund for the unused licence of last month.", MED, CALM},
	{"Delivery delayed", "Tracking says my parcel is delayed. It is a bit annoying, can you check it?", MED, ANNOYED},
	{"Notifications", "I do not get e-mail notifications for new comments.", MED, CALM},
	{"Wrong name on invoice", "The invoice has my old company name on it, please correct it.", MED, CALM},

	{"Dark mode", "It would be nice to have a dark mode in the mobile app.", LOW, CALM},
	{"How do I export contacts?", "Hi, how can I export my contacts to a file? Thanks!", LOW, CALM},
	{"Opening hours", "What are your opening hours on public holidays?", LOW, CALM},
	{"Thank you!", "Just wanted to say thank you so much, the new version is great!!!", LOW, CALM},
	{"Suggestion", "Could you add a keyboard shortcut for archiving? Would love to see that.", LOW, CALM},
	{"Typo on the pricing page", "Small typo: it says 'montly'. Not urgent at all.", LOW, CALM},
	{"Student discount", "Do you offer a discount for students? I am thinking about subscribing.", LOW, CALM},
	{"It works again", "The problem from yesterday is resolved, the server is no longer down. Please close this ticket.", LOW, CALM},
	{"Question about plans", "What is the difference between the team plan and the business plan?", LOW, CALM},
	{"No rush", "Whenever you have time, please change the logo on our portal. No hurry.", LOW, CALM},
	{"Feature request: webhooks", "We wish there were webhooks for new orders. Is it on the roadmap?", LOW, CALM},
	{"Feedback", "Love the redesign, well done. One idea: larger fonts.", LOW, CALM},
	{"Where can I find my API key?", "I read the documentation but could not see where it is.", LOW, CALM},
};
#define SAMPLE_COUNT (sizeof(samples) / sizeof(samples[0]))

static Mood
mood_of(int sentiment)
{
	return sentiment >= 8 ? FURIOUS : sentiment >= 5 ? ANNOYED : CALM;
}

static void
development_sentences_are_judged_as_labelled(void)
{
	size_t		urgency_right = 0;
	size_t		mood_right = 0;

	for (size_t i = 0; i < SAMPLE_COUNT; i++)
	{
		Verdict		verdict = answer(samples[i].subject, samples[i].description);
		bool		urgency_ok = verdict.urgency == samples[i].urgency;
		bool		mood_ok = mood_of(verdict.sentiment_score) == samples[i].mood;

		urgency_right += urgency_ok;
		mood_right += mood_ok;
		if (!urgency_ok || !mood_ok)
			printf("# %s: urgency %d, labelled %d; sentiment %d, labelled %s\n", samples[i].subject,
				   (int) verdict.urgency, (int) samples[i].urgency, verdict.sentiment_score,
				   samples[i].mood == CALM ? "calm" : samples[i].mood == ANNOYED ? "annoyed" : "furious");
		verdict_free(&verdict);
	}
	printf("# urgency %zu, mood %zu of %zu\n", urgency_right, mood_right, (size_t) SAMPLE_COUNT);
	CHECK(urgency_right * 100 >= SAMPLE_COUNT * 90);
	CHECK(mood_right * 100 >= SAMPLE_COUNT * 90);
}

/* One row: two texts of which the first must be judged at least one step more urgent than the second. */
typedef struct Pair
{
	const char *more;
	const char *less;
} Pair;

static void
negation_turns_the_meaning_round(void)
{
	static const Pair pairs[] =
	{
		{"This is urgent.", "This is not urgent."},
		{"It is urgent.", "It isn't urgent."},
		{"It is urgent.", "It isn\xE2\x80\x99t urgent."},
		{"The server is down.", "The server is no longer down."},
		{"I cannot log in.", "I can log in."},
		{"I cannot use it.", "I can use it."},
		{"It is neither broken nor urgent, but we are locked out.", "It is neither broken nor urgent."},
		{"Nobody can sign in.", "Everybody can sign in."},
		{"The matter is not resolved.", "The matter is resolved."},
		{"I am unable to access the portal.", "I am able to access the portal."},
		/* a comma and a "but" end it */
		{"No, this is urgent.", "This is not urgent."},
		{"Not pretty but urgent.", "Not pretty or urgent."},
		{"Not only urgent.", "Not urgent."},
		/* it does not reach across half a page */
		{"I did not write this mail before because it was urgent.", "I did not say it was urgent."},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		int			before = check_failures;

		CHECK(urgency_of(pairs[i].more) > urgency_of(pairs[i].less));
		CHECK_ROW(before, "%s > %s", pairs[i].more, pairs[i].less);
	}
}

static void
intensifiers_and_diminishers_change_the_mood(void)
{
	int			plain = sentiment_of("I am disappointed.");

	CHECK(sentiment_of("I am extremely disappointed.") > plain);
	CHECK(sentiment_of("I am slightly disappointed.") < plain);
	CHECK(sentiment_of("I am disappointed!!!") > plain);
	CHECK(sentiment_of("I am not angry.") < sentiment_of("I am angry."));
	CHECK(sentiment_of("I AM VERY DISAPPOINTED WITH YOUR SERVICE") > plain);
}

static void
loud_thanks_are_not_anger(void)
{
	CHECK(sentiment_of("Thank you so much, great work!!!") <= 2);
	CHECK_INT(urgency_of("Thank you so much, great work!!!"), LOW);
}

static void
neutral_text_is_medium_and_three(void)
{
	static const char *const texts[] = {"", " ", "Blue chairs, third floor.", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", "12345"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		CHECK_INT(urgency_of(texts[i]), MED);
		CHECK_INT(sentiment_of(texts[i]), 3);
	}
}

static void
deadlines_raise_urgency(void)
{
	CHECK(urgency_of("I need the report by tomorrow, the export fails.") > urgency_of("I need the report, the export fails."));
	CHECK(urgency_of("The printer fails within 2 hours of the audit") >= urgency_of("The printer fails."));
	CHECK_INT(urgency_of("We need an answer within 2 hours."), urgency_of("We need an answer within two hours."));
}

static void
words_are_matched_whole_and_folded(void)
{
	CHECK_INT(urgency_of("hackathon"), MED);
	CHECK_INT(urgency_of("The downtown sunscreen stocks"), MED);
	CHECK_INT(urgency_of("OUTAGE"), URG);
	CHECK_INT(urgency_of("\xC3\x94ut\xC3\x82ge"), URG);
	/* joined to letters of another script it is another word */
	CHECK_INT(urgency_of("outage\xE6\x97\xA5"), MED);
	/* a phrase does not reach over the end of a sentence */
	CHECK(urgency_of("The site is down.") > urgency_of("Nice site. Is down the right filling?"));
}

static void
the_subject_counts_more(void)
{
	Verdict		subject = answer("Broken charger, no rush", "See above");
	Verdict		angry = answer("I am disappointed", "See above");
	Verdict		described = answer("See below", "I am disappointed");

	CHECK(angry.sentiment_score >= described.sentiment_score);
	CHECK_INT(subject.urgency, LOW);
	verdict_free(&subject);
	verdict_free(&angry);
	verdict_free(&described);
}

static void
repeating_a_word_does_not_make_it_worse_without_end(void)
{
	CHECK_INT(urgency_of("error error error error error error error error error error error error"), urgency_of("error error"));
}

static void
confidence_follows_the_margin(void)
{
	static const struct
	{
		BuiltinScores scores;
		double		least;
		double		most;
		int			needs_human;
	}			rows[] =
	{
		{{0, 0, 0}, 0.05, 0.2, 1},
		{{0, 3, 3}, 0.2, 0.3, 1},
		{{0, 1, 0}, 0.5, 0.7, 0},
		{{0, 8, 1}, 0.7, 0.9, 0},
		{{0, 1e30, 0}, 0.9, 1, 0},
		{{0, 1, -5}, 0.5, 0.7, 0},
		{{0, 1, 2}, 0.2, 0.3, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		TicketInput ticket = ticket_of("Chairs", "Blue chairs, third floor.");
		Verdict		verdict;
		int			before = check_failures;

		CHECK(builtin_answer(&ticket, categories, &rows[i].scores, &verdict));
		CHECK(verdict.confidence >= rows[i].least && verdict.confidence <= rows[i].most);
		CHECK_INT(verdict.needs_human, rows[i].needs_human);
		CHECK_ROW(before, "best %g, second %g: %g", rows[i].scores.best, rows[i].scores.second, verdict.confidence);
		verdict_free(&verdict);
	}
}

static void
urgent_and_furious_tickets_need_a_human(void)
{
	Verdict		urgent = answer("Production outage", "Nobody can log in.");
	Verdict		furious = answer("Worst service ever", "This is outrageous, you are thieves and liars!!!");

	CHECK_INT(urgent.needs_human, 1);
	CHECK_INT(furious.needs_human, 1);
	CHECK(furious.sentiment_score >= 8);
	CHECK(furious.urgency < PRIORITY_URGENT);
	verdict_free(&urgent);
	verdict_free(&furious);
}

static void
summary_is_the_subject_or_the_first_sentence(void)
{
	static const struct
	{
		const char *subject;
		const char *description;
		const char *summary;
	}			rows[] =
	{
		{"Cannot  log\tin\n", "x", "Cannot log in"},
		{"", "The door of v2.5 is stuck. It was fine.", "The door of v2.5 is stuck."},
		{"  ", "\n\nHello,\n\nthe door is stuck! Help.", "the door is stuck!"},
		{"", "one line\ngoes on\n\nnew paragraph", "one line goes on"},
		{"", "no end", "no end"},
		{"bell \a and \x7F", "x", "bell and"},
		{"bad \xFF\xC3 bytes", "x", "bad bytes"},
		{"", "", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		Verdict		verdict = answer(rows[i].subject, rows[i].description);

		CHECK_STR(verdict.summary, rows[i].summary);
		verdict_free(&verdict);
	}
}

static void
long_text_is_clipped_between_characters(void)
{
	char		subject[998 * 3 + 1];
	Verdict		verdict;

	for (size_t i = 0; i < 998; i++)
		memcpy(subject + i * 3, "\xE2\x82\xAC", 3);
	subject[998 * 3] = '\0';
	verdict = answer(subject, "x");
	CHECK(utf8_valid(verdict.summary, strlen(verdict.summary)));
	CHECK(utf8_valid(verdict.draft_reply, strlen(verdict.draft_reply)));
	CHECK(strlen(verdict.summary) < 300);
	CHECK_CONTAINS(verdict.summary, "\xE2\x82\xAC\xE2\x80\xA6");
	CHECK(utf8_length(verdict.draft_reply, strlen(verdict.draft_reply)) <= 900);
	verdict_free(&verdict);

	memset(subject, 'a', sizeof(subject) - 1);
	for (size_t i = 7; i < sizeof(subject) - 1; i += 8)
		subject[i] = ' ';
	verdict = answer(subject, "x");
	CHECK_CONTAINS(verdict.summary, "aaaaaaa\xE2\x80\xA6");
	verdict_free(&verdict);
}

static void
draft_greets_quotes_and_signs_off(void)
{
	for (int category = 0; category < 6; category++)
	{
		TicketInput ticket = ticket_of("Worst outage ever %s", "Outrageous! Nobody can log in.");
		BuiltinScores scores = {.category = category, .best = 3, .second = 1};
		Verdict		verdict;

		CHECK(builtin_answer(&ticket, categories, &scores, &verdict));
		CHECK_INT(verdict.category, category);
		CHECK_CONTAINS(verdict.draft_reply, "Hello,");
		CHECK_CONTAINS(verdict.draft_reply, "\xE2\x80\x9CWorst outage ever %s\xE2\x80\x9D");
		CHECK_CONTAINS(verdict.draft_reply, "automatic");
		CHECK_CONTAINS(verdict.draft_reply, "sorry");
		CHECK_CONTAINS(verdict.draft_reply, "Kind regards,");
		CHECK(utf8_length(verdict.draft_reply, strlen(verdict.draft_reply)) <= 900);
		verdict_free(&verdict);
	}
}

static void
draft_of_a_calm_ticket_does_not_apologise(void)
{
	Verdict		verdict = answer("Opening hours", "What are your opening hours?");

	CHECK_LACKS(verdict.draft_reply, "sorry");
	verdict_free(&verdict);
}

static void
language_is_told_only_when_english(void)
{
	static const struct
	{
		const char *text;
		const char *language;
	}			rows[] =
	{
		{"Please help me with the new printer, it does not print.", "en"},
		{"How do I reset my password?", "en"},
		{"Ich kann mich seit gestern nicht in mein Konto einloggen, was soll ich tun?", NULL},
		{"We hebben een probleem met de server, kunt u ons helpen? Het is dringend.", NULL},
		{"Je ne peux pas me connecter depuis hier, merci de votre aide.", NULL},
		{"No puedo entrar en mi cuenta desde ayer.", NULL},
		{"\xD0\x9D\xD0\xB5 \xD1\x80\xD0\xB0\xD0\xB1\xD0\xBE\xD1\x82\xD0\xB0\xD0\xB5\xD1\x82", NULL},
		{"12345 67", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		Verdict		verdict = answer("", rows[i].text);

		CHECK_STR(verdict.language, rows[i].language);
		verdict_free(&verdict);
	}
}

static double
seconds_for(const char *text, size_t len)
{
	TicketInput ticket = {.subject = "", .description = text, .description_len = len};
	struct timespec start;
	struct timespec end;
	Verdict		verdict;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	CHECK(builtin_answer(&ticket, categories, &sure, &verdict));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	verdict_free(&verdict);
	return (double) (end.tv_sec - start.tv_sec) + (double) (end.tv_nsec - start.tv_nsec) / 1e9;
}

/* A quadratic pass over the larger text would take 64 times as long as over the smaller. */
static void
time_is_linear_in_the_text(void)
{
	static const char *const patterns[] =
	{
		"the system is down and I cannot log in since yesterday, please help. ",
		"a ", "not ", "!?", "aaaaaaaa", "all all all ", "'", "...", "\n", "3 ", "\xC3\xA9", "\xFF", "do not not ",
	};
	const size_t large = 1 << 20;
	char	   *text = malloc(large);

	if (!CHECK(text != NULL))
		return;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
	{
		size_t		len = strlen(patterns[i]);
		double		small_time;
		double		large_time;
		int			before = check_failures;

		for (size_t j = 0; j < large; j++)
			text[j] = patterns[i][j % len];
		small_time = seconds_for(text, large / 8);
		large_time = seconds_for(text, large);
		CHECK(large_time < small_time * 32 + 0.05);
		CHECK_ROW(before, "%s: %.3f s, then %.3f s", patterns[i], small_time, large_time);
	}
	free(text);
}

/* Each phrase must be found as it is written, or nobody would notice that it never counts. */
static void
each_phrase_of_the_lexicon_is_found(void)
{
	Lexicon		lexicon;
	int			group_count;

	lexicon_groups(&group_count);
	lexicon_init(&lexicon);
	CHECK(lexicon.count > 500 && lexicon.count < LEXICON_TERMS_MAX);
	for (int i = 0; i < lexicon.count; i++)
	{
		char		phrase[100];
		size_t		len = 0;
		Words		words = {0};
		size_t		taken;
		int			before = check_failures;

		for (int j = 0; j < lexicon.terms[i].len && len < sizeof(phrase) - 1; j++)
		{
			char		c = lexicon.terms[i].phrase[j];

			/* '#' is a number; '*' is a form's ending, or any word */
			if (c == '#')
				phrase[len++] = '3';
			else if (c != '*')
				phrase[len++] = c;
			else if (j > 0 && phrase[len - 1] == ' ')
				phrase[len++] = 'x';
		}
		CHECK(words_add(&words, phrase, len));
		CHECK(lexicon_match(&lexicon, &words, 0, &taken) == i && taken == words.count);
		CHECK_ROW(before, "%.*s", (int) len, phrase);
		words_free(&words);
	}
}

static const CheckTest tests[] =
{
	CHECK_TEST(development_sentences_are_judged_as_labelled),
	CHECK_TEST(negation_turns_the_meaning_round),
	CHECK_TEST(intensifiers_and_diminishers_change_the_mood),
	CHECK_TEST(loud_thanks_are_not_anger),
	CHECK_TEST(neutral_text_is_medium_and_three),
	CHECK_TEST(deadlines_raise_urgency),
	CHECK_TEST(words_are_matched_whole_and_folded),
	CHECK_TEST(the_subject_counts_more),
	CHECK_TEST(repeating_a_word_does_not_make_it_worse_without_end),
	CHECK_TEST(confidence_follows_the_margin),
	CHECK_TEST(urgent_and_furious_tickets_need_a_human),
	CHECK_TEST(summary_is_the_subject_or_the_first_sentence),
	CHECK_TEST(long_text_is_clipped_between_characters),
	CHECK_TEST(draft_greets_quotes_and_signs_off),
	CHECK_TEST(draft_of_a_calm_ticket_does_not_apologise),
	CHECK_TEST(language_is_told_only_when_english),
	CHECK_TEST(time_is_linear_in_the_text),
	CHECK_TEST(each_phrase_of_the_lexicon_is_found),
};

int
main(void)
{
	return check_run_all(tests);
}
