-- Demonstration data: load_demo() and remove_demo().
--
-- The helpdesk of a company that sells a program for appointments and invoices, and the terminals that go with it.  Texts
-- are scenarios with places left open (an order, a day, an amount), and everything follows from the ticket's number, so
-- that the same call makes the same tickets; only their dates go by the clock.
--
-- No model was called, so there are no runs: a result of the demonstration has run_id NULL, and counts nowhere as a
-- model's.  Tickets have source 'demo', people an id that begins with 'demo-': by these remove_demo() knows them.
--
-- Dates lie in the past, so the triggers that would write the present, ask for triage or tell the host application are
-- off while it loads: that locks tickets, comments and messages against writers for the moment it takes.

CREATE FUNCTION triage.demo_scenarios()
	RETURNS TABLE (scenario int, category text, urgency triage.ticket_priority, sentiment int, subject text, description text,
		reply text, summary text)
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- categories take turns
	SELECT row_number() OVER (ORDER BY v.place, v.category)::int, v.category, v.urgency::triage.ticket_priority, v.sentiment, v.subject,
			v.description, v.reply, v.summary
		FROM (SELECT s.*, row_number() OVER (PARTITION BY s.category ORDER BY s.subject) AS place FROM (VALUES
			('technical', 'high', 5, 'Cannot sign in after changing my phone',
				'I got a new phone on {day} and the codes for signing in are still on the old one, which is wiped. The recovery page wants one of those codes too. I have appointments to confirm today.',
				'Thank you for writing. We can move the sign-in codes to your new phone once we know that it is you. Please answer from the address your account is registered with and tell us the month in which the account was opened.',
				'Customer changed phones and cannot produce sign-in codes; wants access today.'),
			('technical', 'medium', 3, 'Terminal {serial} does not join the new wifi',
				'We have a new router and the terminal at the reception finds the network but never gets past "connecting". The laptops are fine. The old router is still here if that helps.',
				'Your terminal speaks only the 2.4 GHz band. Please look in the router''s settings whether one name is used for both bands, and give the 2.4 GHz band a name of its own. Tell us what the terminal shows then.',
				'Reception terminal does not join a new router''s wifi; laptops do.'),
			('technical', 'high', 6, 'Calendar sync stopped for the whole team',
				'Since {day} nothing that we enter arrives in our phones'' calendars, for eleven people. We have disconnected and connected one of them again and it made no difference. Two customers stood before a closed door already.',
				'We are sorry about the two missed appointments. Please send us the name of the calendar service and the time of one entry that did not arrive; with both we can see on which side it stops.',
				'Calendar synchronisation has stopped for eleven people since {day}; appointments were missed.'),
			('technical', 'low', 2, 'How do I give my tax adviser read-only access?',
				'She should see the invoices of the year and nothing else, least of all the customers'' notes. I have made a user for her and do not know which role to tick.',
				'The role you are looking for is called "Bookkeeping": it sees invoices and payments and cannot change anything. Open Settings, then People, and choose it beside her name.',
				'Wants to know which role gives a tax adviser read-only access to invoices.'),
			('technical', 'medium', 4, 'Import of customers stops at line 412',
				'The file has about 900 customers. The import runs to 412, then says "unexpected value" and offers to start over. I have looked at the line for an hour and it looks like all others.',
				'Please look at line 413 as well: the message names the last line that went in. Most often it is a date in another format or a semicolon inside a name. If you send us lines 410 to 415 we find it for you.',
				'Customer import of 900 lines stops at line 412 with "unexpected value".'),
			('technical', 'urgent', 8, 'NOBODY can reach the booking page',
				'Our booking page shows a certificate warning since this morning and people call us asking whether we have been hacked. It is our busiest week. Somebody please do something NOW.',
				'We understand how much this hurts in your busiest week, and we are looking at the certificate of your booking page now. Did you change anything at your domain''s provider in the last days? That would tell us where to look first.',
				'Booking page shows a certificate warning since this morning; customers stay away in the busiest week.'),
			('technical', 'medium', 3, 'Outgoing reminders land in spam',
				'Three customers told us that our reminders are in their spam folder. We send them from our own address. Is there an entry that our provider has to make?',
				'Yes: two records at the provider of your domain tell other mail servers that we may send for you. You find both under Settings, E-mail, Sender; the page checks them when you click on "Verify".',
				'Appointment reminders sent from the customer''s own domain are filed as spam.'),
			('technical', 'low', 2, 'Which browsers do you support?',
				'We replace our computers in spring and would like to know what you recommend, and whether the two older machines in the workshop can stay.',
				'The current and the previous major version of the four big browsers work. Tell us what the two machines in the workshop run, and we tell you whether they can stay.',
				'Asks which browsers are supported before replacing computers.'),
			('technical', 'high', 5, 'API answers 401 since we rotated the key',
				'We rotated our API key on {day} as your guide recommends. Since then every call answers 401, with the new key as with the old one. Our web shop takes no bookings meanwhile.',
				'The old key stops at once when a new one is made, and the new one begins with its environment: please check that the shop sends the live key and not the test key, and that nothing was cut off at the end when it was pasted.',
				'All API calls answer 401 after a key rotation; the web shop takes no bookings.'),
			('technical', 'medium', 4, 'Printer at the front desk prints blank receipts',
				'Blank paper comes out, the right length even. The test page of the printer itself is fine. It began after the computer was updated.',
				'That sounds as if the update had put a general driver in place of the printer''s own. Please install the driver from the maker''s page once more, then choose it under Settings, Devices, Receipts.',
				'Receipts come out blank since a computer update, the printer''s own test page is fine.'),
			('technical', 'medium', 3, 'Moving to another domain',
				'We are changing our name and with it the domain. What has to be done, in which order, so that the links we have printed on 5,000 cards go on working?',
				'Add the new domain first and leave the old one as it is: we forward from one to the other as long as both are entered. The printed links then go on working. The order of the steps is under Settings, Domain.',
				'Company changes its domain and wants printed links to keep working.'),
			('technical', 'high', 7, 'Locked out, and support hung up on me',
				'I typed my password wrong, fine. Now the account is locked "for your security", the mail to unlock it never comes, and when I finally got through on the phone the line went dead. I have payroll to run by {day}.',
				'We are sorry, first for the call and then for the wait. We have asked for the unlock mail to be sent again; please look for it in the next minutes, also among spam, and answer here if it is not there.',
				'Account locked, unlock mail does not arrive, phone call was cut; payroll is due.'),
			('technical', 'low', 2, 'Setting up a second location',
				'We open a second salon across the river in summer. Is that a second account or a second location in the same one? We would like one list of customers.',
				'One account with two locations is what you want: customers are shared, calendars and opening hours are each location''s own. You add it under Settings, Locations.',
				'Wants to know how to set up a second location with one list of customers.'),
			('technical', 'medium', 4, 'Everything is slow in the afternoon',
				'From about two o''clock the calendar takes ten seconds to open. In the morning it is quick. The internet line is not full, I have looked.',
				'Thank you for looking at the line already. Please open the status page inside the application the next time it is slow (Help, Connection) and send us the three numbers there; they say whether it is the line, the browser or us.',
				'Application is slow every afternoon; customer rules out the line.'),
			('billing', 'high', 6, 'Charged twice for {month}',
				'My statement shows {amount} on the 2nd and {amount} once more on the 3rd. I have one subscription only. Please return one of them; the account it came from is in the minus because of it.',
				'We are sorry about the trouble with your bank. We see that two charges are reported and check them with the payment service. Please tell us the last four digits of the card and both booking dates.',
				'Two charges of {amount} for one subscription in {month}; wants one of them back.'),
			('billing', 'medium', 4, 'Invoice {invoice} shows the wrong company',
				'We changed our legal form at the start of the year and the invoice still has the old name on it. Our accountant sends it back. Could we have it again with the new name?',
				'Please enter the new name under Settings, Company, so that the next invoices have it. Send us the extract from the register, and we look into a corrected invoice {invoice}.',
				'Invoice {invoice} carries the old company name; wants a corrected one.'),
			('billing', 'low', 2, 'Paying by transfer instead of card',
				'Our new rule is that nothing is paid by card any more. Can we pay by transfer against an invoice, and does the price change?',
				'Paying by transfer is possible with the yearly plan. Under Settings, Plan you see what it would cost you, before you decide anything.',
				'Wants to pay by bank transfer instead of card.'),
			('billing', 'medium', 5, 'Why did the price go up?',
				'It was {amount} a month for two years and now it is more. I have found no letter about it. If something is new that I pay for, I would like to know what it is.',
				'Thank you for asking before deciding. The plan you are on was last changed in {month}; we look up when and where the notice was sent to you, and which parts of it you use.',
				'Monthly price rose, customer found no notice and wants to know why.'),
			('billing', 'medium', 4, 'Seats of people who left',
				'We removed six colleagues in {month} and the invoice still counts twenty seats. It says fourteen in the settings.',
				'Seats are counted on the day the invoice is made. We compare that day with the day the six were removed, and come back to you with what we find.',
				'Invoice counts twenty seats though six users were removed in {month}.'),
			('billing', 'high', 5, 'Card declined, service ends tomorrow',
				'Our bank has replaced the card and your form does not take the new one although it works elsewhere. The banner says that the service ends tomorrow. May we pay this once by transfer?',
				'Your bookings will not be lost. The form asks the bank for a confirmation in its app, which some banks send late: please try it once more with the app open, and tell us what the form says.',
				'New card is declined by the form; service would end tomorrow; asks for a transfer.'),
			('billing', 'low', 1, 'Thank you, and one question about VAT',
				'The refund of last week has arrived, thank you for the quick work. One question: is VAT charged at our rate or at yours, now that we have the id?',
				'We are glad that it arrived. With a valid VAT id of another country of the union the invoice is made without VAT, and you account for it yourself. You can enter the id under Settings, Company.',
				'Thanks for a refund and asks which VAT rate applies.'),
			('billing', 'medium', 3, 'From monthly to yearly',
				'We would like to change to yearly payment when the current month is over. Do the two free months of your offer hold for existing customers?',
				'You can switch under Settings, Plan; the change counts from the next invoice on. Whether the offer holds for your account is shown there before you confirm.',
				'Wants to switch from monthly to yearly payment and asks about an offer.'),
			('billing', 'high', 7, 'You kept charging a closed business',
				'My father closed his shop in {month} and passed away shortly afterwards. We found four charges since then. I have written twice and get the same automatic reply. Please stop this and return the money.',
				'We are very sorry for your loss, and that you had to write three times. A colleague takes this over in person. Please tell us the name of the shop; you need not send any document before you hear from us.',
				'Subscription of a deceased owner''s closed shop is still charged; family wants it stopped and refunded.'),
			('billing', 'medium', 4, 'Order {order} was charged, but not shipped',
				'The two terminals of order {order} were paid on {day} and the page still says "being prepared". Is the payment stuck somewhere, or the parcel?',
				'We see no reason for the delay from here and ask the warehouse. Payment and parcel are separate steps, so the one does not wait for the other once it is there.',
				'Order {order} is paid but not shipped.'),
			('billing', 'low', 2, 'Receipt for the training day',
				'Could you send me a receipt for the training day in {month}? The invoice says only "services" and my employer wants to see the date and the subject.',
				'Please tell us the name under which you took part and the invoice''s number, and we look for the certificate that states date and subject.',
				'Needs a receipt that names date and subject of a training day.'),
			('billing', 'medium', 5, 'Cancel, please, and really this time',
				'I have cancelled in the settings, the page said "we are sorry to see you go", and a month later there was another invoice, {invoice}. I do not want to pay it.',
				'We are sorry about the invoice. We look at when the cancellation came in and for which date it counts, and tell you what becomes of {invoice}.',
				'Was invoiced after cancelling; wants to be free of invoice {invoice}.'),
			('billing', 'low', 2, 'Price for a charity',
				'We are a small charity with nine volunteers and hardly any money. Do you have a plan for organisations like ours?',
				'Thank you for your work. Please tell us in two sentences what you do and send a proof of the status, and a colleague looks at what we can offer.',
				'Charity with nine volunteers asks for a special plan.'),
			('billing', 'urgent', 9, '{amount} TAKEN WITHOUT MY CONSENT',
				'I have NEVER ordered anything from you and {amount} are gone from my account. My bank says that it is fraud unless you prove otherwise. I want an answer today or I go to the police.',
				'We take this seriously. Please do not send card numbers. Tell us the date of the charge and the reference that your bank shows, and a colleague checks today who used your data.',
				'Reports a charge of {amount} without any order; suspects fraud and threatens to call the police.'),
			('general', 'medium', 4, 'Where is order {order}?',
				'It left your warehouse on {day} and the tracking has not moved since. The terminal is for an opening on the weekend.',
				'We ask the carrier where the parcel is. Please tell us until when you need an answer at the latest, so that we can think of something if it does not turn up.',
				'Order {order} has not moved since {day}; needed for an opening on the weekend.'),
			('general', 'low', 2, 'Are you closed between the years?',
				'We do our stock-taking then and might need help with the export. Which days is somebody there?',
				'The days on which we answer are on the page Help, Contact, and those between the years are entered there as soon as they are settled.',
				'Asks for support hours at the turn of the year.'),
			('general', 'low', 2, 'Where is our data kept?',
				'Our members ask, and I would like to give an answer that I understand myself. Which country, who can look at it, and for how long after we leave?',
				'These are good questions. Country, people with access and times of deletion are in the agreement on data processing, which you find under Settings, Privacy. Ask us about any sentence that is not clear.',
				'Asks in which country data is kept, who can see it and for how long.'),
			('general', 'low', 1, 'Praise for {colleague}',
				'I had {colleague} on the phone on {day} and want to say that I was never helped so kindly with something that I had broken myself. Please pass it on.',
				'Thank you, this makes our day. We pass it on to {colleague}, with a cake if there is one.',
				'Praises {colleague} for a phone call.'),
			('general', 'medium', 3, 'Return of an unopened terminal',
				'We ordered one terminal too many. It is unopened, the order is {order}. How do we send it back, and who pays for the parcel?',
				'Unopened devices can be returned. You get the label under Orders, Return; who pays for it and until when you can send it is said there before you confirm.',
				'Wants to return an unopened terminal of order {order}.'),
			('general', 'low', 3, 'Visit with a vocational class',
				'I teach office management and would like to show my class how a support team works. Would you have us for two hours in {month}, about sixteen people?',
				'What a nice idea. Please give us two or three dates in {month}, and we ask who of the team would like to do it.',
				'Teacher asks for a visit with sixteen students.'),
			('general', 'medium', 5, 'Still getting your newsletter',
				'I have unsubscribed three times now. Each time I am told that it takes a few days. It has been two months.',
				'Three times is two too many, we are sorry. We look up under which addresses you are registered: is there perhaps a second one that forwards to this?',
				'Has unsubscribed from the newsletter three times and still gets it.'),
			('general', 'low', 2, 'Reseller in our region?',
				'We are an IT shop in the north and several of our customers ask for your terminals. Do you work with resellers?',
				'We do in some regions. Please write two lines about your shop and the number of customers you think of, and the partner team gets in touch.',
				'IT shop asks about becoming a reseller.'),
			('general', 'high', 6, 'Deletion of my personal data',
				'I hereby ask for the deletion of all data about me under article 17. I was a customer of one of the salons that use your system, not of yours. Please confirm within the legal period.',
				'We have received your request. The salon decides about the data that it keeps about you, and we pass your request on to it; about anything that we keep ourselves we answer you directly.',
				'Asks for deletion of personal data as a customer of a salon that uses the product.'),
			('general', 'medium', 4, 'Damaged parcel',
				'The carton of order {order} was wet on one side. The device turns on, but the display has a stain. I took pictures before opening it.',
				'Thank you for the pictures, please send them. Do not use the device until we have looked at them; we register the damage with the carrier meanwhile.',
				'Parcel of order {order} arrived wet, the display has a stain.'),
			('general', 'low', 2, 'Is there a course for beginners?',
				'Two of us start on the first of the month and have never worked with such a program. Is there something better than trying everything?',
				'There is: a short course in the application itself (Help, First steps) and an hour with one of us every week, to which you can sign up on the same page.',
				'Asks for a beginners'' course for two new colleagues.'),
			('general', 'low', 2, 'New address of our association',
				'We move on the first: the post should go to the new place from then on. E-mail and phone stay as they are.',
				'You can change the address under Settings, Company with a date from which it counts. If you prefer that we enter it, tell us the new one.',
				'Association announces a new postal address.'),
			('feature_request', 'low', 2, 'Drag appointments between colleagues',
				'When somebody is ill I move twelve appointments by hand, each with three clicks. Dragging a whole column to a colleague would turn half an hour into a minute.',
				'Thank you for describing it so well. We add your case to the wish of the same kind and tell you when something moves. Would it help you if several could be chosen at once?',
				'Wishes to drag a whole column of appointments to another colleague.'),
			('feature_request', 'low', 2, 'Dark mode for the evening shift',
				'We are a cinema. The screen at the till lights up the foyer and the guests'' faces. Please give us a dark theme.',
				'A cinema is the best reason we have heard yet. The wish is on our list and has your vote now.',
				'Cinema wishes for a dark theme.'),
			('feature_request', 'medium', 4, 'Several warehouses',
				'In autumn we open a second warehouse and stock is one number per article today. Without stock per place we would have to leave you, which I would regret. Is it planned?',
				'Thank you for telling us early. We pass your question to the product team and answer you with what can be said about it for certain, so that you can plan.',
				'Needs stock by warehouse by autumn, else considers leaving.'),
			('feature_request', 'low', 2, 'Reminder by text message in Danish',
				'Half of our customers are across the border and the reminders go out in one language only. Translating the text by hand for each is not an option.',
				'Do you know the language beside each customer''s name? Today it is used for invoices only. We note your wish that reminders should go by it too.',
				'Wishes for reminders in the customer''s language.'),
			('feature_request', 'low', 1, 'Undo for "archive"',
				'About once a day I archive the wrong customer. An undo of five seconds would save me the way through the archive. Otherwise I am very happy with you.',
				'We know that click. Your wish is noted, with the five seconds.',
				'Wishes for an undo after archiving.'),
			('feature_request', 'medium', 3, 'Export for our accountant',
				'She needs a file with a column for the cost centre. We add it by hand every month, for 400 lines.',
				'The export can have fields of your own if they are entered with the customer. If the cost centre belongs to the invoice instead, that is something new, and we add it to the list: which of the two is it?',
				'Wishes for a cost centre column in the accounting export.'),
			('feature_request', 'low', 2, 'Keyboard shortcut for the next ticket',
				'J and K, like in mail programs. My mouse hand would thank you.',
				'A small thing with a large effect, we agree. It is on the list.',
				'Wishes for keyboard shortcuts.'),
			('feature_request', 'low', 3, 'Waiting list for fully booked days',
				'When somebody cancels we phone down a paper list. Could people put themselves on a waiting list on the booking page and get a message?',
				'We like this. It is asked for often enough that it is being looked at; we put your description with it because it says what happens today.',
				'Wishes for a waiting list on the booking page.'),
			('feature_request', 'medium', 5, 'Log-out after ten minutes is unusable with gloves',
				'You log people out after ten minutes. We are a workshop, we wear gloves, and the password has sixteen characters. Let us choose the time, at least for computers in a locked room.',
				'That must be tiresome, and you are right that not every room is a public one. We note the wish for a time that can be set by computer, and ask the security team what would be possible.',
				'Automatic log-out after ten minutes disturbs a workshop; wants it configurable.'),
			('feature_request', 'low', 2, 'Show the time zone',
				'When colleagues on two continents book, we never know whose ten o''clock it is. A small abbreviation behind the time would do.',
				'Good point, and a small change. Would you want it always, or only when somebody is in another zone?',
				'Wishes to see the time zone beside appointment times.'),
			('feature_request', 'low', 2, 'Vouchers that can be used in parts',
				'A voucher of {amount} is used up at the first visit today. Our guests would like to use it in parts, and we count on paper.',
				'Thank you for the wish. Until then some houses sell several small vouchers instead of a large one; perhaps that helps meanwhile.',
				'Wishes for vouchers that can be redeemed in parts.'),
			('feature_request', 'low', 2, 'Webhook when an invoice is paid',
				'We would like to start the delivery when the money is there. Asking the API every five minutes feels wrong.',
				'It does. A webhook for payments is wished for by several; yours is counted now, and we tell you when there is one.',
				'Wishes for a webhook on payment of an invoice.'),
			('bug_report', 'high', 5, 'Totals differ between screen and file ({version})',
				'Open Reports, Weekly, choose a week with a public holiday: the screen says 412, the file 389. The holiday''s rows are missing from the file. It was right before {version}.',
				'Thank you, this is described so that we could follow it step by step. Please do not use the file for accounting until you hear from us; it goes to the developers with your numbers.',
				'Weekly report shows 412 on screen and 389 in the file since {version}; holiday rows are missing.'),
			('bug_report', 'medium', 4, 'App closes when I open a photo',
				'On Android, version {version}: a customer''s photo opens for a blink, then the app is gone. Happens with every photo since the update.',
				'Thank you. Which model is the phone, and was the photo taken with it or received from somebody? A report was sent to us when the app closed, and with the model we find it.',
				'Android app closes whenever a photo is opened, since {version}.'),
			('bug_report', 'medium', 3, 'Keyboard covers the send button',
				'On a small phone the keyboard lies over the button. If you close the keyboard it is there again, so one can live with it.',
				'Thank you for the patience. It is a known kind of mistake on small screens; we pass on that it is this page.',
				'On small phones the keyboard covers the send button.'),
			('bug_report', 'urgent', 7, 'I can see another salon''s customers',
				'After signing in today the list of customers was not mine. Names, phone numbers, notes. I closed it at once. I am worried about who sees ours.',
				'Thank you for telling us at once and for closing it. Please do not sign in on that computer until you hear from us. Somebody is looking at it now and will call you on the number of your account.',
				'After signing in, a foreign tenant''s customers were shown: possible breach of data.'),
			('bug_report', 'high', 6, 'Appointments moved by one hour',
				'Since the clocks changed, all series that began before are one hour late. Single appointments are right. We noticed when three customers stood there at once.',
				'We are sorry for the three and for you. Please leave the series as they are for now: correcting them by hand and by us would move them twice. We tell you when it is done.',
				'Recurring appointments are one hour off since the change of the clocks.'),
			('bug_report', 'low', 2, 'Progress bar goes to 104 %',
				'During the import of a large file. The import itself is right. Made me smile, still wrong.',
				'We smiled too. It goes on the list, behind things that hurt more, we hope you agree.',
				'Progress bar exceeds 100 % during large imports.'),
			('bug_report', 'medium', 4, 'Search finds nothing with an umlaut',
				'"Muller" finds her, but not with the two dots, although that is how it is spelled in the list. Began with {version}.',
				'Thank you for both spellings. We can follow it here and have passed it on; until it is mended the search without the dots finds both.',
				'Search does not find names with an umlaut since {version}.'),
			('bug_report', 'medium', 5, 'Discount is applied twice',
				'Customers with a card get 10 %, since {day} the invoice takes off 10 % twice: {invoice} is an example. We have sent about thirty of these.',
				'Thank you for the example. We look at which invoices since {day} are concerned and send you a list, so that you can decide about them.',
				'A 10 % discount is applied twice on invoices since {day}, about thirty were sent.'),
			('bug_report', 'low', 3, 'Tooltip stays on the screen',
				'Hover over the traffic light, press F5 while hovering: the tooltip stays until the next reload.',
				'Thank you, we can make it stay here too. It is noted.',
				'Tooltip remains visible after a reload.'),
			('bug_report', 'high', 6, 'Reminder sent 14 times',
				'One customer got the same reminder fourteen times in one night. She was amused, the next one will not be. It was appointment {order}.',
				'Please give her our apologies. We stop reminders of that kind for your account until we know why, and tell you before they are switched on again.',
				'One appointment reminder was sent fourteen times in one night.'),
			('bug_report', 'medium', 4, 'PDF shows squares instead of prices',
				'On the Mac of the office the invoice''s PDF shows little squares where the amounts should be. Printed from the other computer it is fine.',
				'Thank you. That looks like a font that is missing in the file. Please send us one of the PDFs and the name of the program it was opened with.',
				'Invoice PDF shows squares instead of amounts on one computer.'),
			('bug_report', 'medium', 4, 'Button "Save" does nothing in the customer''s notes',
				'Longer notes cannot be saved: the button goes grey and stays. Up to about three lines it works. I have lost half an hour of typing twice now.',
				'We are sorry about the lost notes. Until this is mended please write long notes in two parts. Which browser is it?',
				'Long customer notes cannot be saved; text was lost twice.')
			) AS s (category, urgency, sentiment, subject, description, reply, summary)) AS v
	UNION ALL
	-- from 1001 on: what is closed as spam
	SELECT 1000 + x.number, 'general', 'low', 1, x.subject, x.description, 'No answer is needed.', 'An advertisement; nothing to do.'
		FROM (VALUES
			(1, 'More visitors for your web site', 'We have looked at your web site and see a lot of room above you in the results. Our experts bring you {people},000 visitors a day. Answer with your number and we call you on {day}.'),
			(2, 'Your mailbox is almost full', 'Dear user, your mailbox uses 98 % of its space. Confirm your password on the page below within a day, otherwise messages are lost.'),
			(3, 'Wholesale offer for {month}', 'We are a factory of terminals, stands and cables and offer the best price. Catalogue no. {order} attached. Waiting for your kind order.'))
			AS x (number, subject, description)
$$;
COMMENT ON FUNCTION triage.demo_scenarios() IS
	'part of load_demo(): what its tickets are about, with {places} to be filled in; category, urgency and sentiment (1 calm to 10 furious) as a model would judge them; raises nothing';
REVOKE ALL ON FUNCTION triage.demo_scenarios() FROM PUBLIC;

CREATE FUNCTION triage.demo_number(n bigint, purpose int, below int) RETURNS int
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ((hashint8extended(n, purpose) & 1048575) % below)::int
$$;
COMMENT ON FUNCTION triage.demo_number(bigint, int, int) IS
	'part of load_demo(): a number from 0 to below - 1, the same for the same ticket number and purpose; raises nothing';
REVOKE ALL ON FUNCTION triage.demo_number(bigint, int, int) FROM PUBLIC;

CREATE FUNCTION triage.demo_pick(n bigint, purpose int, choices text[]) RETURNS text
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT choices[1 + triage.demo_number(n, purpose, cardinality(choices))]
$$;
COMMENT ON FUNCTION triage.demo_pick(bigint, int, text[]) IS
	'part of load_demo(): one of the choices, the same for the same ticket number and purpose; raises nothing';
REVOKE ALL ON FUNCTION triage.demo_pick(bigint, int, text[]) FROM PUBLIC;

CREATE FUNCTION triage.demo_customer(customer bigint) RETURNS text
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ('{Agata,Bela,Carla,Dmitri,Elif,Finn,Greta,Hugo,Ines,Jonas,Kaia,Luca,Mila,Nils,Olga,Pavel,Rosa,Sami,Tilda}'::text[])
			[1 + customer % 19]
		|| ' ' || ('{Abel,Brandt,Castro,Dahl,Ebner,Fonseca,Gruber,Horvat,Ivanova,Janssen,Kowalski,Lind,Moreau,Novak,Okafor,Pires,'
			'Quist,Rossi,Sato,Toth,Urban,Virtanen,Weiss}'::text[])[1 + customer * 5 % 23]
$$;
COMMENT ON FUNCTION triage.demo_customer(bigint) IS
	'part of load_demo(): the name of a customer by number; raises nothing';
REVOKE ALL ON FUNCTION triage.demo_customer(bigint) FROM PUBLIC;

CREATE FUNCTION triage.demo_fill(txt text, n bigint, at timestamptz) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	draw CONSTANT bigint := hashint8extended(n, 1) & 1048575;
	place record;
BEGIN
	IF position('{' IN txt) = 0 THEN
		RETURN txt;
	END IF;
	FOR place IN
		SELECT p.name, p.value
			FROM (VALUES
				('day', ('{Monday,Tuesday,Wednesday,Thursday,Friday}'::text[])[1 + draw % 5]),
				('month', to_char(at - interval '1 month', 'FMMonth')),
				('order', 'F-' || 20000 + draw % 8999),
				('invoice', to_char(at, 'YY') || '-' || 1000 + draw % 8887),
				('amount', ('{39.00,49.00,58.80,79.00,118.80,149.00,240.00,312.50,588.00,1188.00,1260.00}'::text[])[1 + draw % 11]),
				('serial', 'T' || 3 + draw % 4 || '-' || 10000 + draw % 89989),
				('version', ('{4.6.0,4.6.2,4.7.0,4.7.1,5.0.0,5.0.1,5.1.0}'::text[])[1 + draw % 7]),
				('colleague', ('{Ida,Noor,Marek,Benedikta}'::text[])[1 + draw % 4]),
				('people', (3 + draw % 31)::text),
				('city', ('{Aarhus,Cork,Ghent,Graz,Leeds,Lublin,Nantes,Porto,Split,Tampere,Tartu,Trieste,Utrecht}'::text[])[1 + draw % 13]),
				('year', (to_char(at, 'YYYY')::int - 1 - draw % 9)::text)) AS p (name, value)
	LOOP
		txt := replace(txt, '{' || place.name || '}', place.value);
	END LOOP;
	RETURN txt;
END
$$;
COMMENT ON FUNCTION triage.demo_fill(text, bigint, timestamptz) IS
	'part of load_demo(): a text with its {places} filled in for ticket n, written at that time; raises nothing';
REVOKE ALL ON FUNCTION triage.demo_fill(text, bigint, timestamptz) FROM PUBLIC;

-- What becomes of each ticket: twenty fates take turns, shifted against the categories, so that twenty tickets show every
-- status and fifty more than one of each.
CREATE FUNCTION triage.demo_tickets(tickets int, as_of timestamptz)
	RETURNS TABLE (n bigint, scenario int, fate int, status triage.ticket_status, resolution triage.ticket_resolution,
		handler triage.ticket_handler, category text, urgency triage.ticket_priority, priority triage.ticket_priority,
		priority_is_manual boolean, sentiment int, has_result boolean, requester text, first_agent text, agent text,
		created_at timestamptz, taken_at timestamptz, replied_at timestamptz, resolved_at timestamptz, closed_at timestamptz,
		moved_at timestamptz, by_chat boolean, subject text, description text, reply text, summary text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC'
AS $$
	SELECT d.n, s.scenario, e.fate, f.status::triage.ticket_status, f.resolution::triage.ticket_resolution,
			f.handler::triage.ticket_handler, s.category, s.urgency,
			CASE WHEN d.by_hand THEN triage.demo_pick(d.n, 20, '{low,medium,high,urgent}')::triage.ticket_priority
				WHEN h.has_result THEN s.urgency ELSE 'medium' END,
			d.by_hand, s.sentiment, h.has_result, 'demo-customer-' || d.customer,
			CASE WHEN f.taken AND d.n % 6 = 1 THEN triage.demo_pick(d.n, 21, '{demo-agent-ida,demo-agent-noor,demo-agent-marek}') END,
			CASE WHEN f.taken THEN triage.demo_pick(d.n, 22, '{demo-agent-ulrike,demo-agent-tomas,demo-agent-jun,demo-agent-benedikta}') END,
			c.created_at, CASE WHEN f.taken THEN c.created_at + d.wait * 0.3 END,
			CASE WHEN f.replied THEN c.created_at + d.wait END,
			CASE WHEN f.resolution IS NOT NULL THEN c.created_at + d.wait * 3 + interval '1 hour' END,
			CASE WHEN f.status = 'closed' THEN c.created_at + d.wait * 3 + interval '4 days' END,
			CASE WHEN f.status IN ('pending', 'on_hold', 'review') THEN c.created_at + d.wait * 1.5 END,
			e.fate IN (4, 7, 8, 11, 12, 17, 18) AND d.n % 3 <> 0,
			triage.demo_fill(s.subject, d.n, c.created_at),
			triage.demo_fill(
				CASE WHEN s.sentiment < 7 THEN triage.demo_pick(d.n, 23, ARRAY['Hello,', 'Good morning,', 'Dear support team,', 'Hi,',
					'Good afternoon,', 'Dear all,', 'Hello again,', 'Hi there,', 'To whom it may concern:', 'Good evening,']) || E'\n\n' ELSE '' END
				|| s.description
				|| triage.demo_pick(d.n, 24, ARRAY['', ' We are {people} people in {city}.', ' I have been with you since {year}.', ' Our shop is in {city}.',
					' A picture is attached.', '', ' I am writing for a team of {people}.', ' The phone is best in the morning.',
					' I am new in this, so please explain it simply.', ' A colleague in {city} has seen the same.', ' The account is the one of our {city} branch.',
					' I could not find anything about it in the help pages.', ' We work until six.'])
				|| E'\n\n'
				|| triage.demo_pick(d.n, 25, ARRAY['Thank you,', 'Kind regards,', 'Best wishes,', 'Regards,', 'Many thanks in advance,', 'Thanks,',
					'With kind regards from {city},', 'Sincerely,']) || E'\n' || triage.demo_customer(d.customer), d.n, c.created_at),
			triage.demo_fill(s.reply, d.n, c.created_at), triage.demo_fill(s.summary, d.n, c.created_at)
		FROM (
			SELECT i AS n, (i * 7 + i / 20) % 20 AS turn, i % 9 = 4 AS by_hand,
					1 + triage.demo_number(i, 28, greatest(demo_tickets.tickets / 3, 5)) AS customer,
					interval '7 minutes' * (3 + triage.demo_number(i, 26, 32)) AS wait,
					interval '1 minute' * triage.demo_number(i, 27, 2000) AS jitter
				FROM generate_series(1, demo_tickets.tickets::bigint) AS i) AS d
		JOIN triage.demo_scenarios() s
			ON s.scenario = CASE d.turn WHEN 15 THEN 1001 + d.n % 3
				ELSE 1 + (d.n - 1) % (SELECT count(*) FROM triage.demo_scenarios() r WHERE r.scenario < 1000) END
		-- what is pressing is not left to a machine
		CROSS JOIN LATERAL (
			SELECT CASE WHEN s.urgency < 'high' THEN d.turn WHEN d.turn = 4 THEN 7 WHEN d.turn IN (12, 18) THEN 16 ELSE d.turn END) AS e (fate)
		JOIN (VALUES
				(0, 'open', NULL, 'human', false, false, 0), (1, 'in_progress', NULL, 'human', true, true, 2),
				(2, 'pending', NULL, 'human', true, true, 4), (3, 'closed', 'resolved', 'human', true, true, 40),
				(4, 'open', NULL, 'ai', false, false, 0), (5, 'resolved', 'resolved', 'human', true, true, 5),
				(6, 'closed', 'resolved', 'human', true, true, 20), (7, 'open', NULL, 'human', false, false, 0),
				(8, 'in_progress', NULL, 'human', true, true, 1), (9, 'review', NULL, 'human', true, true, 3),
				(10, 'on_hold', NULL, 'human', true, true, 7), (11, 'resolved', 'closed_by_client', 'human', true, true, 6),
				(12, 'closed', 'deflected', 'ai', false, false, 12), (13, 'closed', 'abandoned', 'human', true, true, 33),
				(14, 'in_progress', NULL, 'human', true, false, 1), (15, 'closed', 'spam', 'human', false, false, 10),
				(16, 'closed', 'resolved', 'human', true, true, 50), (17, 'resolved', 'resolved', 'human', true, true, 4),
				(18, 'closed', 'closed_by_client', 'ai', false, false, 15), (19, 'open', NULL, 'human', false, false, 1))
			AS f (fate, status, resolution, handler, taken, replied, days) ON f.fate = e.fate
		-- nobody has looked yet at some of the newest
		CROSS JOIN LATERAL (SELECT NOT (e.fate = 0 AND d.n % 3 = 0) AS has_result) AS h
		CROSS JOIN LATERAL (SELECT as_of - interval '3 minutes' - d.jitter - f.days * interval '1 day' AS created_at) AS c
$$;
COMMENT ON FUNCTION triage.demo_tickets(int, timestamptz) IS
	'part of load_demo(): the tickets and what became of each, as of that time; raises nothing';
REVOKE ALL ON FUNCTION triage.demo_tickets(int, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.load_demo_people(tickets int, as_of timestamptz) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.people (tenant_id, id, role, display_name, email, language, created_at)
		SELECT triage.current_tenant(), p.id, p.role, p.name, lower(replace(p.name, ' ', '.')) || '@example.com', 'en', as_of - interval '90 days'
			FROM (
				SELECT v.id, v.role::triage.person_role, v.name
					FROM (VALUES
						('demo-admin-vera', 'admin', 'Vera Maas'), ('demo-agent-ida', 'agent', 'Ida Sund'),
						('demo-agent-noor', 'agent', 'Noor Haddad'), ('demo-agent-marek', 'agent', 'Marek Wolny'),
						('demo-agent-ulrike', 'agent', 'Ulrike Falk'), ('demo-agent-tomas', 'agent', 'Tomas Vale'),
						('demo-agent-jun', 'agent', 'Jun Arai'), ('demo-agent-benedikta', 'agent', 'Benedikta Roth'))
						AS v (id, role, name)
				UNION ALL
				SELECT DISTINCT t.requester, 'customer'::triage.person_role,
						triage.demo_customer(substring(t.requester FROM '[0-9]+$')::bigint)
					FROM triage.demo_tickets(tickets, as_of) t) AS p (id, role, name)
			ORDER BY p.id;
END
$$;
COMMENT ON FUNCTION triage.load_demo_people(int, timestamptz) IS
	'part of load_demo(): an admin, agents, and the customers of so many tickets; returns nothing; raises 23505 for a person that is there';
REVOKE ALL ON FUNCTION triage.load_demo_people(int, timestamptz) FROM PUBLIC;

-- As the triggers would have written them at the time.
CREATE FUNCTION triage.load_demo_tickets(tickets int, as_of timestamptz) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.tickets (tenant_id, source, external_id, requester_id, requester_email, language, subject, description, tags,
			search, created_at, status, resolution, handler, priority, priority_is_manual, category, assignee_id, waiting_since,
			first_response_at, resolved_at, closed_at)
		SELECT triage.current_tenant(), 'demo', 'demo-' || d.n, d.requester, p.email, 'en', d.subject, d.description,
				CASE WHEN d.n % 7 = 2 THEN ARRAY[triage.demo_pick(d.n, 30, '{renewal,vip,beta,school}')] ELSE '{}' END,
				setweight(to_tsvector(triage.ts_config('en'), d.subject), 'A')
					|| setweight(to_tsvector(triage.ts_config('en'), d.description), 'B'),
				d.created_at, d.status, d.resolution, d.handler, d.priority, d.priority_is_manual, CASE WHEN d.has_result THEN d.category END,
				d.agent, CASE WHEN d.status = 'review' THEN d.replied_at + interval '50 minutes'
					WHEN d.resolution IS NULL AND d.replied_at IS NULL AND d.handler = 'human' THEN d.created_at END,
				d.replied_at, d.resolved_at, d.closed_at
			FROM triage.demo_tickets(tickets, as_of) d
			JOIN triage.people p ON p.tenant_id = triage.current_tenant() AND p.id = d.requester
			ORDER BY d.created_at, d.n;

	INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, needs_human,
			confidence, language, summary, draft_reply, processed_at)
		SELECT t.tenant_id, t.id, 1, d.category, d.urgency, d.sentiment, d.urgency = 'urgent' OR d.sentiment >= 7,
				0.62 + triage.demo_number(d.n, 31, 37) / 100.0, 'en', d.summary, d.reply, d.created_at + interval '4 seconds'
			FROM triage.demo_tickets(tickets, as_of) d
			JOIN triage.tickets t ON t.tenant_id = triage.current_tenant() AND t.source = 'demo' AND t.external_id = 'demo-' || d.n
			WHERE d.has_result
			ORDER BY d.created_at, d.n;

	INSERT INTO triage.ticket_assignments (tenant_id, ticket_id, agent_id, assigned_by, assigned_at, unassigned_at)
		SELECT t.tenant_id, t.id, a.agent, 'demo-admin-vera', a.since, a.until
			FROM triage.demo_tickets(tickets, as_of) d
			JOIN triage.tickets t ON t.tenant_id = triage.current_tenant() AND t.source = 'demo' AND t.external_id = 'demo-' || d.n
			CROSS JOIN LATERAL (VALUES
				(d.first_agent, d.taken_at, d.taken_at + interval '5 minutes'),
				(d.agent, CASE WHEN d.first_agent IS NULL THEN d.taken_at ELSE d.taken_at + interval '5 minutes' END, NULL)) AS a (agent, since, until)
			WHERE a.agent IS NOT NULL
			ORDER BY a.since, d.n;
END
$$;
COMMENT ON FUNCTION triage.load_demo_tickets(int, timestamptz) IS
	'part of load_demo(), with the triggers off: tickets, results and assignments; returns nothing; raises what INSERT raises';
REVOKE ALL ON FUNCTION triage.load_demo_tickets(int, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.load_demo_history(tickets int, as_of timestamptz) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.ticket_history (tenant_id, ticket_id, field, old_value, new_value, changed_by, session_role, created_at)
		SELECT t.tenant_id, t.id, h.field, h.old_value, h.new_value, h.changed_by, session_user, h.at
			FROM triage.demo_tickets(tickets, as_of) d
			JOIN triage.tickets t ON t.tenant_id = triage.current_tenant() AND t.source = 'demo' AND t.external_id = 'demo-' || d.n
			CROSS JOIN LATERAL (
				SELECT coalesce(d.agent, CASE d.resolution WHEN 'deflected' THEN 'triage' WHEN 'closed_by_client' THEN d.requester
						ELSE 'demo-admin-vera' END) AS finisher,
					CASE WHEN d.taken_at IS NULL THEN 'open' ELSE 'in_progress' END AS worked_on) AS w
			CROSS JOIN LATERAL (VALUES
				(1, d.created_at + interval '4 seconds', d.has_result, 'triage', 'category', NULL, to_jsonb(d.category)),
				(2, d.created_at + interval '4 seconds', d.has_result AND NOT d.priority_is_manual AND d.urgency <> 'medium', 'triage',
					'priority', '"medium"', to_jsonb(d.urgency)),
				(3, d.taken_at, true, 'demo-admin-vera', 'status', '"open"', '"in_progress"'),
				(4, d.taken_at, true, 'demo-admin-vera', 'assignee_id', NULL, to_jsonb(coalesce(d.first_agent, d.agent))),
				(5, d.taken_at + interval '5 minutes', d.first_agent IS NOT NULL, 'demo-admin-vera', 'assignee_id', to_jsonb(d.first_agent),
					to_jsonb(d.agent)),
				(6, d.moved_at, true, d.agent, 'status', '"in_progress"', to_jsonb(d.status)),
				(7, d.resolved_at, true, w.finisher, 'status', to_jsonb(w.worked_on), '"resolved"'),
				(8, d.resolved_at, true, w.finisher, 'resolution', NULL, to_jsonb(d.resolution)),
				(9, d.resolved_at, true, w.finisher, 'resolved_at', NULL, to_jsonb(d.resolved_at)),
				(10, d.closed_at, true, 'demo-admin-vera', 'status', '"resolved"', '"closed"'),
				(11, d.closed_at, true, 'demo-admin-vera', 'closed_at', NULL, to_jsonb(d.closed_at)))
				AS h (place, at, holds, changed_by, field, old_value, new_value)
			WHERE h.holds AND h.at IS NOT NULL
			ORDER BY h.at, d.n, h.place;
	UPDATE triage.tickets t
		SET version = 1 + h.changes, updated_at = h.last
		FROM (SELECT x.ticket_id, count(DISTINCT x.created_at)::int AS changes, max(x.created_at) AS last
				FROM triage.ticket_history x
				WHERE x.tenant_id = triage.current_tenant()
				GROUP BY x.ticket_id) AS h
		WHERE t.id = h.ticket_id AND t.tenant_id = triage.current_tenant();
	UPDATE triage.tickets t
		SET updated_at = t.created_at
		WHERE t.tenant_id = triage.current_tenant() AND t.version = 1;
END
$$;
COMMENT ON FUNCTION triage.load_demo_history(int, timestamptz) IS
	'part of load_demo(), with the triggers off: what changed on the tickets, when and by whom; returns nothing; raises what INSERT raises';
REVOKE ALL ON FUNCTION triage.load_demo_history(int, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.load_demo_comments(tickets int, as_of timestamptz) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.ticket_comments (tenant_id, ticket_id, author_id, author_role, visibility, content, source, created_at)
		SELECT t.tenant_id, t.id, c.author, c.role::triage.person_role, c.visibility::triage.comment_visibility, f.content, 'demo', c.at
			FROM triage.demo_tickets(tickets, as_of) d
			JOIN triage.tickets t ON t.tenant_id = triage.current_tenant() AND t.source = 'demo' AND t.external_id = 'demo-' || d.n
			CROSS JOIN LATERAL (VALUES
				(1, d.created_at + interval '2 minutes', d.n % 5 = 3 AND d.fate <> 15, d.requester, 'customer', 'public',
					triage.demo_pick(d.n, 40, ARRAY['One more thing: it was the same yesterday.', 'I forgot to say that a colleague sees it as well.',
						'Sorry, the number I wrote was the old one; the account is under my name.', 'I have just tried it once more, with the same result.',
						'If it helps, I can send a picture.', 'You can call me as well.'])),
				(2, d.created_at + interval '10 seconds', d.handler = 'ai', NULL, 'ai', 'public', d.reply),
				(3, d.taken_at + interval '6 minutes', d.n % 4 = 1 OR d.status IN ('on_hold', 'review'), d.agent, 'agent', 'internal',
					CASE d.status
						WHEN 'on_hold' THEN triage.demo_pick(d.n, 41, ARRAY['Waiting for the carrier, they answer within two days.', 'With the developers; asked for a date.',
							'The payment service looks into it, case opened.', 'Waiting for the answer of the domain''s provider.'])
						WHEN 'review' THEN triage.demo_pick(d.n, 42, ARRAY['Please have a look at my answer before it goes out for good.', 'Is the amount right like this? Second pair of eyes, please.',
							'Solution works on our side; who checks it with the customer''s data?'])
						ELSE triage.demo_pick(d.n, 43, ARRAY['Spoke with the customer on the phone, friendly.', 'Third ticket of this kind this month.', 'Seen it before: the settings page explains it badly.',
							'Customer since long, please be generous.', 'I take this one.', 'Looks like the same as last week''s.', 'Checked the account: nothing unusual.']) END),
				(4, d.replied_at, d.resolution IS DISTINCT FROM 'spam', d.agent, 'agent', 'public', d.reply),
				(5, d.replied_at + interval '50 minutes', d.fate IN (3, 5, 6, 9, 16, 17), d.requester, 'customer', 'public',
					triage.demo_pick(d.n, 44, ARRAY['Thank you. I have done that, and it looks better already.', 'Here is what you asked for; the rest is in the attachment.',
						'It is the second one that you describe.', 'I tried, and now the message is another one: "please try again later".', 'Yes, exactly. Since {day}, as I wrote.',
						'That was quick. I will try it this evening.', 'We have checked: it is the account of the {city} branch.'])),
				(6, d.resolved_at - interval '2 minutes', d.resolution = 'resolved', d.agent, 'agent', 'public',
					triage.demo_pick(d.n, 45, ARRAY['That should settle it. Please write again if it comes back.', 'It is done on our side; you need not do anything.', 'We have corrected it and checked it once more. Thank you for your patience.',
						'Glad that it works. We close this for now.', 'The change is in place. If anything looks odd tomorrow, answer here.'])),
				(7, d.resolved_at + interval '30 minutes', d.resolution = 'resolved' AND d.n % 3 = 0, d.requester, 'customer', 'public',
					triage.demo_pick(d.n, 46, ARRAY['Works. Thank you!', 'Perfect, thanks to all of you.', 'That was it. Have a nice day.', 'Thank you for the quick help.'])),
				(8, d.resolved_at - interval '1 minute', d.resolution = 'closed_by_client', d.requester, 'customer', 'public',
					triage.demo_pick(d.n, 47, ARRAY['It has settled itself, you can close this.', 'Found it myself, thank you.', 'No longer needed, sorry for the trouble.'])))
				AS c (place, at, holds, author, role, visibility, text)
			CROSS JOIN LATERAL (SELECT triage.demo_fill(c.text, d.n, d.created_at)) AS f (content)
			WHERE c.holds AND c.at IS NOT NULL AND (c.visibility = 'internal' OR NOT d.by_chat)
			ORDER BY c.at, d.n, c.place;
END
$$;
COMMENT ON FUNCTION triage.load_demo_comments(int, timestamptz) IS
	'part of load_demo(), with the triggers off: what customers and agents wrote; returns nothing; raises what INSERT raises';
REVOKE ALL ON FUNCTION triage.load_demo_comments(int, timestamptz) FROM PUBLIC;

-- A conversation for each ticket that has one: with the AI, then with people where it was handed over.
CREATE FUNCTION triage.load_demo_conversations(tickets int, as_of timestamptz) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.chat_sessions (tenant_id, customer_id, language, status, metadata, created_at, updated_at, ended_at)
		SELECT triage.current_tenant(), d.requester, 'en',
				CASE WHEN d.status = 'closed' THEN 'archived' WHEN d.resolution IS NOT NULL THEN 'resolved' ELSE 'active' END::triage.session_status,
				jsonb_build_object('demo', d.n), d.created_at, d.created_at, d.resolved_at
			FROM triage.demo_tickets(tickets, as_of) d
			WHERE d.by_chat
			ORDER BY d.created_at, d.n;
	INSERT INTO triage.chat_tickets (tenant_id, session_id, ticket_id, relation, created_at)
		SELECT s.tenant_id, s.id, t.id, 'origin', t.created_at
			FROM triage.chat_sessions s
			JOIN triage.tickets t ON t.tenant_id = s.tenant_id AND t.source = 'demo' AND t.external_id = 'demo-' || (s.metadata ->> 'demo')
			WHERE s.tenant_id = triage.current_tenant() AND s.metadata ? 'demo'
			ORDER BY s.id;
	INSERT INTO triage.chat_messages (tenant_id, session_id, role, author_id, content, language, metadata, created_at)
		SELECT s.tenant_id, s.id, m.role::triage.message_role,
				CASE m.role WHEN 'user' THEN d.requester WHEN 'agent' THEN d.agent END, f.content, 'en',
				CASE m.role WHEN 'assistant' THEN jsonb_build_object('action', m.action, 'confidence', 0.62 + triage.demo_number(d.n, 50, 37) / 100.0) END,
				m.at
			FROM triage.demo_tickets(tickets, as_of) d
			JOIN triage.chat_sessions s ON s.tenant_id = triage.current_tenant() AND s.metadata ->> 'demo' = d.n::text
			CROSS JOIN LATERAL (SELECT d.fate IN (7, 8, 11, 17) AS handed_over) AS h
			CROSS JOIN LATERAL (VALUES
				(1, d.created_at, true, 'user', NULL, d.description),
				(2, d.created_at + interval '9 seconds', true, 'assistant', 'answer', d.reply),
				(3, d.created_at + interval '1 minute', h.handed_over, 'user', NULL,
					triage.demo_pick(d.n, 51, ARRAY['I have tried that already. Can I talk to a person, please?', 'That is not my question. Is there somebody I can speak with?',
						'No, and I have no time for this. Give me a colleague of yours.', 'Thank you, but I would rather explain it to a person.'])),
				(4, d.created_at + interval '70 seconds', h.handed_over, 'assistant', 'escalate',
					'Of course. A colleague takes over and has everything that you wrote; you need not repeat it.'),
				(5, d.replied_at, d.fate IN (8, 17), 'agent', NULL,
					triage.demo_pick(d.n, 52, ARRAY['Hello, I have read it all and am looking at it now.', 'Good day, I take over from here. Give me a minute.',
						'Hello, thank you for waiting. I have your account in front of me.'])),
				(6, d.replied_at + interval '4 minutes', d.fate IN (8, 17), 'user', NULL,
					triage.demo_pick(d.n, 53, ARRAY['Thank you, I am here.', 'Good. It still looks the same on my side.', 'Since {day}, if that helps.'])),
				(7, d.resolved_at - interval '2 minutes', d.fate = 17, 'agent', NULL,
					triage.demo_pick(d.n, 54, ARRAY['That should settle it. Please look once more.', 'Done. Is it right on your side, too?'])),
				(8, d.resolved_at - interval '1 minute', d.fate = 17, 'user', NULL,
					triage.demo_pick(d.n, 55, ARRAY['Yes, it works. Thank you!', 'Perfect, that was it.', 'Looks good. Bye!'])),
				(9, d.resolved_at - interval '1 minute', d.fate IN (11, 18), 'user', NULL,
					triage.demo_pick(d.n, 56, ARRAY['I have found it myself, thank you. You can close this.', 'It has settled itself.', 'No longer needed, bye.'])),
				(10, d.resolved_at - interval '1 minute', d.fate = 12, 'user', NULL,
					triage.demo_pick(d.n, 57, ARRAY['That was it, thank you.', 'Works, thanks.', 'Exactly what I wanted to know.'])))
				AS m (place, at, holds, role, action, text)
			CROSS JOIN LATERAL (SELECT triage.demo_fill(m.text, d.n, d.created_at)) AS f (content)
			WHERE m.holds AND m.at IS NOT NULL
			ORDER BY m.at, d.n, m.place;
	UPDATE triage.chat_sessions s
		SET updated_at = greatest(m.last, s.ended_at)
		FROM (SELECT x.session_id, max(x.created_at) AS last FROM triage.chat_messages x WHERE x.tenant_id = triage.current_tenant() GROUP BY x.session_id) AS m
		WHERE s.tenant_id = triage.current_tenant() AND s.id = m.session_id;
END
$$;
COMMENT ON FUNCTION triage.load_demo_conversations(int, timestamptz) IS
	'part of load_demo(), with the triggers off: chat sessions, what was said in them, and their tickets; returns nothing; raises what INSERT raises';
REVOKE ALL ON FUNCTION triage.load_demo_conversations(int, timestamptz) FROM PUBLIC;

-- Why people took over, and what they were told.
CREATE FUNCTION triage.load_demo_escalations(tickets int, as_of timestamptz) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, session_id, cause, reason, up_to_message, created_by, session_role, created_at)
		SELECT c.tenant_id, c.ticket_id, c.session_id,
				CASE WHEN d.sentiment >= 6 THEN 'negative_sentiment' ELSE 'customer_request' END::triage.escalation_cause,
				CASE WHEN d.sentiment >= 6 THEN 'The customer is upset and asks for a person.' ELSE 'The customer asks for a person.' END,
				m.id, 'triage', session_user, m.created_at
			FROM triage.demo_tickets(tickets, as_of) d
			JOIN triage.chat_sessions s ON s.tenant_id = triage.current_tenant() AND s.metadata ->> 'demo' = d.n::text
			JOIN triage.chat_tickets c ON c.tenant_id = s.tenant_id AND c.session_id = s.id AND c.relation = 'origin'
			JOIN triage.chat_messages m ON m.tenant_id = s.tenant_id AND m.session_id = s.id AND m.metadata ->> 'action' = 'escalate'
			ORDER BY m.id;
	INSERT INTO triage.conversation_summaries (tenant_id, ticket_id, summary, open_questions, sentiment_score, language, up_to_message, created_at)
		SELECT e.tenant_id, e.ticket_id, d.summary,
				CASE WHEN d.n % 2 = 0 THEN ARRAY[triage.demo_pick(d.n, 60, ARRAY['Since when exactly?', 'On which computer or phone?', 'Which account is it?'])] ELSE '{}' END,
				d.sentiment, 'en', e.up_to_message, e.created_at + interval '6 seconds'
			FROM triage.demo_tickets(tickets, as_of) d
			JOIN triage.tickets t ON t.tenant_id = triage.current_tenant() AND t.source = 'demo' AND t.external_id = 'demo-' || d.n
			JOIN triage.ticket_escalations e ON e.tenant_id = t.tenant_id AND e.ticket_id = t.id
			ORDER BY e.id;
END
$$;
COMMENT ON FUNCTION triage.load_demo_escalations(int, timestamptz) IS
	'part of load_demo(), with the triggers off: why people took over from the AI, and the summaries they found; returns nothing; raises what INSERT raises';
REVOKE ALL ON FUNCTION triage.load_demo_escalations(int, timestamptz) FROM PUBLIC;

-- The product's taxonomy of the demonstration, and which scenarios report the same problem.  subjects: of demo_scenarios().
CREATE FUNCTION triage.demo_clusters()
	RETURNS TABLE (cluster int, category text, subcategory text, area text, name text, summary text, status triage.pm_status)
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT v.cluster, v.category, v.subcategory, v.area, v.name, v.summary, v.status::triage.pm_status
		FROM (VALUES
			(1, 'BILLING', 'charges', 'amounts that were taken, or should not have been', 'Charges that should not be there',
				'Customers are charged twice, after cancelling, or for seats that nobody uses any more.', 'reviewing'),
			(2, 'ACCESS', 'sign_in', 'signing in, codes, locked accounts, keys', 'Locked out after a new phone, a new key or a typing error',
				'Who has changed a phone or a key, or mistyped a password, finds no way back in without help.', 'acknowledged'),
			(3, 'CALENDAR', 'sync', 'appointments in other calendars and time zones', 'Appointments an hour off, or not in the calendar at all',
				'Appointments do not reach phones, or stand there an hour late; customers come when nobody expects them.', 'fixed'),
			(4, 'BILLING', 'invoices', 'what an invoice or a receipt shows', 'Invoices that bookkeeping sends back',
				'Names, amounts and discounts on invoices and receipts are not what accountants accept.', 'new'),
			(5, 'MESSAGES', 'reminders', 'reminders by mail and text message', 'Reminders come too often, or not where they are read',
				'Reminders are sent many times, land in spam, or cannot be sent in the customer''s language.', 'new'),
			(6, 'DATA', 'import_export', 'getting customers in and figures out', 'Imports that stop, and exports that lack something',
				'Imports stop without a reason that can be understood; rows and columns are missing from exports.', 'new'),
			(7, 'APP', 'display', 'what the app shows and how it is touched', 'Parts of the screen in each other''s way',
				'The keyboard and tooltips cover what people want to press or read.', 'wont_fix'),
			(8, 'DEVICES', 'terminals', 'terminals and printers', 'Terminals and printers after a change of router or computer',
				'A device that worked stops doing so when something beside it is replaced.', 'new'),
			(9, 'APP', 'stability', 'crashes, and work that is lost', 'The app closes, or does not save',
				'People lose their place or what they typed.', 'new'))
			AS v (cluster, category, subcategory, area, name, summary, status)
$$;
COMMENT ON FUNCTION triage.demo_clusters() IS
	'part of load_demo(): the clusters of its product issues, with their place in the taxonomy (area says what belongs there); raises nothing';
REVOKE ALL ON FUNCTION triage.demo_clusters() FROM PUBLIC;

-- Only scenarios that do report a problem of the cluster, each with the words that say so.
CREATE FUNCTION triage.demo_issues() RETURNS TABLE (cluster int, subject text, quote text)
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT v.cluster, v.subject, v.quote
		FROM (VALUES
			(1, 'Charged twice for {month}', 'My statement shows {amount} on the 2nd and {amount} once more on the 3rd.'),
			(1, 'Cancel, please, and really this time', 'a month later there was another invoice, {invoice}'),
			(1, 'You kept charging a closed business', 'We found four charges since then.'),
			(1, 'Seats of people who left', 'We removed six colleagues in {month} and the invoice still counts twenty seats.'),
			(1, '{amount} TAKEN WITHOUT MY CONSENT', 'I have NEVER ordered anything from you and {amount} are gone from my account.'),
			(2, 'Cannot sign in after changing my phone', 'the codes for signing in are still on the old one, which is wiped'),
			(2, 'Locked out, and support hung up on me', 'Now the account is locked "for your security", the mail to unlock it never comes'),
			(2, 'API answers 401 since we rotated the key', 'Since then every call answers 401, with the new key as with the old one.'),
			(3, 'Calendar sync stopped for the whole team', 'Since {day} nothing that we enter arrives in our phones'' calendars, for eleven people.'),
			(3, 'Appointments moved by one hour', 'Since the clocks changed, all series that began before are one hour late.'),
			(4, 'Invoice {invoice} shows the wrong company', 'the invoice still has the old name on it. Our accountant sends it back.'),
			(4, 'Receipt for the training day', 'The invoice says only "services" and my employer wants to see the date and the subject.'),
			(4, 'Discount is applied twice', 'since {day} the invoice takes off 10 % twice'),
			(4, 'PDF shows squares instead of prices', 'the invoice''s PDF shows little squares where the amounts should be'),
			(5, 'Outgoing reminders land in spam', 'Three customers told us that our reminders are in their spam folder.'),
			(5, 'Reminder sent 14 times', 'One customer got the same reminder fourteen times in one night.'),
			(5, 'Reminder by text message in Danish', 'Half of our customers are across the border and the reminders go out in one language only.'),
			(6, 'Import of customers stops at line 412', 'The import runs to 412, then says "unexpected value" and offers to start over.'),
			(6, 'Totals differ between screen and file ({version})', 'The holiday''s rows are missing from the file.'),
			(6, 'Export for our accountant', 'She needs a file with a column for the cost centre. We add it by hand every month, for 400 lines.'),
			(7, 'Keyboard covers the send button', 'On a small phone the keyboard lies over the button.'),
			(7, 'Tooltip stays on the screen', 'the tooltip stays until the next reload'),
			(8, 'Terminal {serial} does not join the new wifi', 'the terminal at the reception finds the network but never gets past "connecting"'),
			(8, 'Printer at the front desk prints blank receipts', 'Blank paper comes out, the right length even.'),
			(9, 'App closes when I open a photo', 'a customer''s photo opens for a blink, then the app is gone'),
			(9, 'Button "Save" does nothing in the customer''s notes', 'I have lost half an hour of typing twice now.'))
			AS v (cluster, subject, quote)
$$;
COMMENT ON FUNCTION triage.demo_issues() IS
	'part of load_demo(): which scenarios, by subject, report a problem of which of demo_clusters(), and the words of their description that say so; raises nothing';
REVOKE ALL ON FUNCTION triage.demo_issues() FROM PUBLIC;

-- What the tickets say of the product: an issue for each ticket of a cluster's scenarios, with its own words as quote.
CREATE FUNCTION triage.load_demo_issues(tickets int, as_of timestamptz) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item record;
	new_cluster bigint;
BEGIN
	INSERT INTO triage.issue_taxonomy (tenant_id, category, subcategory, description)
		SELECT triage.current_tenant(), c.category, c.subcategory, c.area
			FROM triage.demo_clusters() c
			ON CONFLICT DO NOTHING;
	FOR item IN
		SELECT c.cluster, c.category, c.subcategory, c.name, c.summary, c.status FROM triage.demo_clusters() c ORDER BY c.cluster
	LOOP
		INSERT INTO triage.issue_clusters (tenant_id, category, subcategory, cluster_name, cluster_summary, name_is_manual, pm_status, fixed_at, regressed_at,
				created_at, updated_at)
			VALUES (triage.current_tenant(), item.category, item.subcategory, item.name, item.summary, true, item.status,
				CASE item.status WHEN 'fixed' THEN as_of - interval '6 days' END, CASE item.status WHEN 'fixed' THEN as_of - interval '2 days' END,
				as_of - interval '30 days', as_of - interval '2 days')
			RETURNING id INTO new_cluster;
		INSERT INTO triage.extracted_issues (tenant_id, ticket_id, cluster_id, category, subcategory, issue_type, severity, summary, representative_quote,
				quote_verified, customer, fingerprint, assigned_by, assigned_at, reported_at, extracted_at)
			SELECT t.tenant_id, t.id, new_cluster, item.category, item.subcategory,
					CASE d.category WHEN 'bug_report' THEN 'bug' WHEN 'feature_request' THEN 'feature_request' WHEN 'billing' THEN 'data_issue' ELSE 'friction' END::triage.issue_type,
					CASE d.urgency WHEN 'urgent' THEN 'critical' ELSE d.urgency::text END::triage.issue_severity, d.summary, q.quote, strpos(t.description, q.quote) > 0,
					'person:' || d.requester, triage.issue_fingerprint(item.category, item.subcategory, d.summary), 'human', t.created_at, t.created_at, t.created_at
				FROM triage.demo_tickets(tickets, as_of) d
				JOIN triage.demo_scenarios() s ON s.scenario = d.scenario
				JOIN triage.demo_issues() x ON x.cluster = item.cluster AND x.subject = s.subject
				JOIN triage.tickets t ON t.tenant_id = triage.current_tenant() AND t.source = 'demo' AND t.external_id = 'demo-' || d.n
				CROSS JOIN LATERAL (SELECT triage.demo_fill(x.quote, d.n, d.created_at) AS quote) q
				ORDER BY t.id;
	END LOOP;
	-- of a few tickets there are too few reports of something to have a cluster of it
	DELETE FROM triage.issue_clusters c
		WHERE c.tenant_id = triage.current_tenant() AND c.cluster_name IN (SELECT x.name FROM triage.demo_clusters() x)
			AND NOT EXISTS (SELECT FROM triage.extracted_issues i WHERE i.tenant_id = c.tenant_id AND i.cluster_id = c.id);
END
$$;
COMMENT ON FUNCTION triage.load_demo_issues(int, timestamptz) IS
	'part of load_demo(): a taxonomy, the product issues that the tickets report, and their clusters; returns nothing; raises what INSERT raises';
REVOKE ALL ON FUNCTION triage.load_demo_issues(int, timestamptz) FROM PUBLIC;

-- The clusters that nothing is left of, and the places in the taxonomy that nothing stands in.
CREATE FUNCTION triage.remove_demo_issues() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM triage.issue_clusters c
		USING triage.demo_clusters() d
		WHERE c.tenant_id = triage.current_tenant() AND (c.category, c.subcategory, c.cluster_name) = (d.category, d.subcategory, d.name)
			AND NOT EXISTS (SELECT FROM triage.extracted_issues i WHERE i.tenant_id = c.tenant_id AND i.cluster_id = c.id)
			AND NOT EXISTS (SELECT FROM triage.issue_clusters m WHERE m.tenant_id = c.tenant_id AND m.merged_into_id = c.id);
	DELETE FROM triage.issue_taxonomy t
		USING triage.demo_clusters() d
		WHERE t.tenant_id = triage.current_tenant() AND (t.category, t.subcategory, t.description) = (d.category, d.subcategory, d.area)
			AND NOT EXISTS (
				SELECT FROM triage.issue_clusters c WHERE c.tenant_id = t.tenant_id AND c.category = t.category AND c.subcategory = t.subcategory)
			AND NOT EXISTS (
				SELECT FROM triage.extracted_issues i WHERE i.tenant_id = t.tenant_id AND i.category = t.category AND i.subcategory = t.subcategory);
END
$$;
COMMENT ON FUNCTION triage.remove_demo_issues() IS
	'part of remove_demo(), after its tickets are gone: removes the demonstration''s clusters and taxonomy, but what issues of other tickets use; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.remove_demo_issues() FROM PUBLIC;

CREATE FUNCTION triage.check_place_for_demo() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	missing text;
BEGIN
	IF NOT EXISTS (SELECT FROM triage.tenants n WHERE n.id = tenant) THEN
		RAISE EXCEPTION 'tenant "%" does not exist', tenant
			USING ERRCODE = 'no_data_found', HINT = format('SELECT triage.create_tenant(%L) makes it.', tenant);
	ELSIF EXISTS (SELECT FROM triage.tickets t WHERE t.tenant_id = tenant AND t.source = 'demo' AND t.external_id ~ '^demo-[0-9]+$') THEN
		RAISE EXCEPTION 'tenant "%" has the demonstration data already', tenant
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SELECT triage.remove_demo() takes them away, for others to be loaded.';
	ELSIF EXISTS (SELECT FROM triage.tickets t WHERE t.tenant_id = tenant) OR EXISTS (SELECT FROM triage.people p WHERE p.tenant_id = tenant) THEN
		RAISE EXCEPTION 'tenant "%" has tickets or people of its own', tenant
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Demonstration data do not go beside real ones. Make a tenant for them: SELECT triage.create_tenant(''demo''); SET triage.tenant = ''demo'';';
	END IF;
	IF EXISTS (SELECT FROM triage.chat_sessions s WHERE s.tenant_id = tenant) THEN
		RAISE EXCEPTION 'tenant "%" has conversations of its own', tenant
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Make a tenant for the demonstration: SELECT triage.create_tenant(''demo'');';
	END IF;
	SELECT string_agg(DISTINCT s.category, ', ') INTO missing
		FROM triage.demo_scenarios() s
		WHERE NOT EXISTS (SELECT FROM triage.ticket_categories c WHERE c.tenant_id = tenant AND c.category = s.category);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'tenant "%" lacks categories that the demonstration uses: %', tenant, missing
			USING ERRCODE = 'foreign_key_violation', HINT = format('SELECT triage.load_default_vocabulary(%L) brings them back.', tenant);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_place_for_demo() IS
	'part of load_demo(): returns when the current tenant is there, empty, and has the categories; raises P0002, 55000 or 23503 else';
REVOKE ALL ON FUNCTION triage.check_place_for_demo() FROM PUBLIC;

CREATE FUNCTION triage.load_demo(tickets int DEFAULT 200) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	as_of CONSTANT timestamptz := date_trunc('minute', now());
	switches text[];
	switch text;
BEGIN
	PERFORM triage.check_schema();
	IF tickets IS NULL OR tickets NOT BETWEEN 1 AND 10000 THEN
		RAISE EXCEPTION 'tickets must be between 1 and 10000, not %', coalesce(tickets::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'From 50 on every status and every way to be handled is among them.';
	END IF;
	-- in the order of whoever writes a message or a comment; from here on nobody else's ticket can come in
	LOCK TABLE triage.people, triage.ticket_comments, triage.chat_messages, triage.tickets IN SHARE ROW EXCLUSIVE MODE;
	PERFORM triage.check_place_for_demo();

	-- those that are on and no others, so that what somebody has switched off stays off
	switches := ARRAY (
		SELECT format('ALTER TABLE %s %%s TRIGGER %s', g.tgrelid::regclass, replace(quote_ident(g.tgname), '%', '%%'))
			FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
			WHERE c.relnamespace = 'triage'::regnamespace AND c.relname IN ('people', 'tickets', 'ticket_comments', 'ticket_history',
					'ticket_assignments', 'ticket_ai_results', 'chat_sessions', 'chat_messages', 'chat_tickets', 'ticket_escalations',
					'conversation_summaries')
				AND NOT g.tgisinternal AND g.tgenabled = 'O'
			ORDER BY g.tgrelid::regclass::text, g.tgname);
	FOREACH switch IN ARRAY switches LOOP
		EXECUTE format(switch, 'DISABLE');
	END LOOP;
	PERFORM triage.load_demo_people(tickets, as_of);
	PERFORM triage.load_demo_tickets(tickets, as_of);
	PERFORM triage.load_demo_history(tickets, as_of);
	PERFORM triage.load_demo_comments(tickets, as_of);
	PERFORM triage.load_demo_conversations(tickets, as_of);
	PERFORM triage.load_demo_escalations(tickets, as_of);
	PERFORM triage.load_demo_issues(tickets, as_of);
	FOREACH switch IN ARRAY switches LOOP
		EXECUTE format(switch, 'ENABLE');
	END LOOP;
	RETURN tickets;
END
$$;
COMMENT ON FUNCTION triage.load_demo(int) IS
	'fills the current tenant, which must be empty, with demonstration tickets (1 to 10000), their people, conversations, comments, assignments, history, AI results and product issues; no job is made and no model called: the results have no run; the same number gives the same tickets, dates aside; remove_demo() takes them away; for the owner; returns the number of tickets; raises 55000 when the tenant has tickets, people or conversations, demonstration data included, 23503 when it lacks a default category, P0002 when it does not exist, 22023 for a number out of range';
REVOKE ALL ON FUNCTION triage.load_demo(int) FROM PUBLIC;

CREATE FUNCTION triage.remove_demo() RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	removed bigint;
	sessions bigint[];
	person text;
BEGIN
	PERFORM triage.check_schema();
	-- tickets are locked before sessions
	PERFORM FROM triage.tickets t
		WHERE t.tenant_id = triage.current_tenant() AND t.source = 'demo' AND t.external_id ~ '^demo-[0-9]+$'
		ORDER BY t.id FOR UPDATE;
	sessions := ARRAY (
		SELECT s.id
			FROM triage.chat_sessions s
			JOIN triage.chat_tickets c ON c.tenant_id = s.tenant_id AND c.session_id = s.id AND c.relation = 'origin'
			JOIN triage.tickets t ON t.tenant_id = c.tenant_id AND t.id = c.ticket_id
			-- not by their metadata, which are the application's to change
			WHERE s.tenant_id = triage.current_tenant() AND s.customer_id ~ '^demo-customer-'
				AND t.source = 'demo' AND t.external_id ~ '^demo-[0-9]+$'
			ORDER BY s.id);
	DELETE FROM triage.tickets t
		WHERE t.tenant_id = triage.current_tenant() AND t.source = 'demo' AND t.external_id ~ '^demo-[0-9]+$';
	GET DIAGNOSTICS removed = ROW_COUNT;
	PERFORM triage.remove_demo_issues();
	DELETE FROM triage.chat_sessions s WHERE s.tenant_id = triage.current_tenant() AND s.id = ANY (sessions);
	FOR person IN
		SELECT p.id FROM triage.people p
			WHERE p.tenant_id = triage.current_tenant() AND p.id ~ '^demo-(admin|agent|customer)-'
			ORDER BY p.id
	LOOP
		BEGIN
			DELETE FROM triage.people p WHERE p.tenant_id = triage.current_tenant() AND p.id = person;
		EXCEPTION WHEN foreign_key_violation THEN
			NULL;						-- somebody's own ticket or comment names him
		END;
	END LOOP;
	RETURN removed;
END
$$;
COMMENT ON FUNCTION triage.remove_demo() IS
	'removes from the current tenant what load_demo() put there, with whatever was added to its tickets since; a person of the demonstration whom another ticket or comment names stays; runs of models that were asked about its tickets stay, as of any ticket; for the owner; returns the number of tickets removed, 0 when there are none; raises nothing';
REVOKE ALL ON FUNCTION triage.remove_demo() FROM PUBLIC;
