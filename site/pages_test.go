package site

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/internal/page/pagetest"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/site/report"
	"github.com/ictmedia/schoolmail/ucs"
)

// world of a plan with a step of each kind, at three schools.
func pagesAct() *Act {
	account := func(id, name string, ms ...schoolmail.Membership) schoolmail.Account {
		return schoolmail.Account{Key: schoolmail.RecordKey{Source: "escada", ID: id}, Username: "u." + id, DisplayName: name,
			GivenName: name, FamilyName: "Muster", Role: schoolmail.RolePupil, Mail: "u." + id + "@x.example",
			NoticeMail: "private" + id + "@x.example", Phone: "+41 31 000 00 0" + id, Context: 21, Memberships: ms}
	}
	at := func(s schoolmail.SchoolID, classes ...string) schoolmail.Membership {
		return schoolmail.Membership{School: s, Classes: classes}
	}
	ida, max1, mia := account("1", "Ida A", at("ps-a", "1a")), account("2", "Max A", at("ps-a", "6b")),
		account("3", "Mia AB", at("ps-a", "3b"))
	miaThen := mia
	miaThen.Memberships = []schoolmail.Membership{at("ps-b", "4c")}
	lea, leaThen := account("4", "Lea B", at("ps-b", "2a")), account("4", "Lea B", at("ps-b", "3a"))
	held, moved := account("5", "Held B", at("ps-b", "2a")), account("6", "Moved B", at("ps-b"))
	movedThen := moved
	movedThen.Context = 22
	secret, fails := account("7", "Secret A", at("ps-a", "1a")), account("8", "Fails C", at("ps-c", "1a"))
	phone, phoneThen := account("9", "Phone A", at("ps-a")), account("9", "Phone A", at("ps-a"))
	phoneThen.Phone = "+41 31 999 99 99"
	step := func(school schoolmail.SchoolID, key schoolmail.RecordKey, a schoolmail.Action) schoolmail.Step {
		return schoolmail.Step{ID: string(a.Kind()) + ":" + key.String(), Subject: "u." + key.ID, Key: key, School: school,
			Reason: "reason of ps-z", Action: a}
	}
	due := schoolmail.NewDate(2027, 10, 4)
	plan := &schoolmail.Plan{Header: schoolmail.Header{ID: "abc", Now: schoolmail.NewDate(2027, 8, 9)},
		Steps: []schoolmail.Step{
			step("ps-a", ida.Key, schoolmail.CreateAccount{Account: ida}),
			step("ps-a", max1.Key, schoolmail.SendNotice{Before: max1, After: max1, Due: due}),
			step("ps-b", mia.Key, schoolmail.ChangeAccount{Before: mia, After: miaThen}),
			step("ps-b", lea.Key, schoolmail.ChangeAccount{Before: lea, After: leaThen}),
			step("ps-b", moved.Key, schoolmail.TransferContext{Before: moved, After: movedThen}),
			step("ps-c", fails.Key, schoolmail.CreateAccount{Account: fails}),
			step("ps-a", phone.Key, schoolmail.ChangeAccount{Before: phone, After: phoneThen}),
		},
		Held: []schoolmail.Held{
			{Step: step("ps-b", held.Key, schoolmail.SendNotice{Before: held, After: held, Due: due}), Guard: "leavers",
				Why: "12 of 20 pupils of ps-b"},
			{Step: step("ps-a", secret.Key, schoolmail.SendNotice{Before: secret, After: secret}), Guard: "hold",
				Why: "inquiry of the police"},
		}}
	result := &schoolmail.Result{}
	for _, s := range plan.Steps {
		o := schoolmail.Outcome{Step: s.ID, Kind: s.Kind(), Subject: s.Subject, Status: schoolmail.StatusDone}
		if s.Key == fails.Key {
			o.Status, o.Error = schoolmail.StatusFailed, "ox: server at 10.0.0.1: server not reachable"
		}
		result.Outcomes = append(result.Outcomes, o)
	}
	d := schoolmail.Delivery{Rejected: []schoolmail.Rejection{{Key: max1.Key, School: "ps-a",
		Kind: schoolmail.RejectedMissing, Position: schoolmail.Position{File: "s.csv", Line: 3, Column: "Klasse"},
		Reason: "empty for a pupil: expected the name of the class"}}}
	return &Act{Title: "Run", World: &World{Delivery: d}, Plan: plan, Result: result,
		pages: Pages{Schools: map[schoolmail.SchoolID]SchoolPage{"ps-a": {Name: "Primarschule A", Language: "de"},
			"ps-b": {Language: "fr"}}}}
}

// A school's page tells of its own people what it has to know, in its language, and
// nothing else: nobody of other schools, no other school, no server, no private address
// or telephone, nothing of a mailbox that only moves, and nothing of a hold.
func TestSchoolPages(t *testing.T) {
	t.Parallel()
	a := pagesAct()
	rep := &report.Report{Title: "Schulinformatik", Language: "en"}
	pages := a.schoolPages(rep, a.acknowledgement())
	text := map[schoolmail.SchoolID]string{}
	for id, p := range pages {
		var b bytes.Buffer
		if err := p.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		pagetest.Check(t, b.Bytes())
		text[id] = plain(b.String())
	}
	for id, want := range map[schoolmail.SchoolID][]string{
		"ps-a": {`lang="de-CH"`, "Primarschule A: Änderungen vom 09.08.2027",
			"Ida A", "u.1@x.example", "Max A", "04.10.2027",
			"Mia AB", "Ist nicht mehr an Ihrer Schule", "Das Feld «Klasse» ist leer.", "Erwartet: der Name der Klasse."},
		"ps-b": {`lang="fr-CH"`, "ps-b: changements du 09.08.2027", "Mia AB", "Rejoint votre école", "Classe 4c.", "Lea B",
			"Classe 3a, auparavant 2a.", "Held B", "Un nombre inhabituel"},
		"ps-c": {`lang="en"`, "Fails C", "Could not be done yet"},
	} {
		for _, w := range want {
			if !strings.Contains(text[id], w) {
				t.Errorf("%s: nothing about %q in\n%s", id, w, text[id])
			}
		}
		others := []string{"10.0.0.1", "private", "+41", "Secret", "police", "Phone A", "Moved", "reason of",
			"context", "Context", "Kontext", "LDAP", "ps-z"}
		for other, names := range map[schoolmail.SchoolID][]string{"ps-a": {"Ida A", "Max A", "Primarschule A"},
			"ps-b": {"Lea B", "Held B", "4c"}, "ps-c": {"Fails C"}} {
			if other != id {
				others = append(others, append(names, string(other))...)
			}
		}
		for _, o := range others {
			if strings.Contains(text[id], o) {
				t.Errorf("%s: its page tells of %q", id, o)
			}
		}
	}
	if len(pages) != 3 {
		t.Errorf("%d pages, want 3", len(pages))
	}
}

// Where nothing was done yet a page says so, and people without names are told by the
// numbers of their records, as in what is kept.
func TestSchoolPagesOfPlansAndKeptRuns(t *testing.T) {
	t.Parallel()
	a := pagesAct()
	a.Result = nil
	p := a.schoolPages(&report.Report{}, nil)["ps-a"]
	if !p.Planned || p.Gone[0].Says[0].Key != "says.notice.planned" && p.Gone[1].Says[0].Key != "says.notice.planned" {
		t.Errorf("%+v", p)
	}
	bare, err := a.Plan.WithoutNames(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	a.Plan = bare
	p = a.schoolPages(&report.Report{}, nil)["ps-a"]
	if n := p.New[0]; n.Name != "" || n.Number != "1" || n.Mail != "" {
		t.Errorf("%+v", n)
	}
}

// The cause of a failure is found in the words that a step keeps of its error.
func TestCauses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{&ox.Error{Kind: ox.ErrUnreachable}, "unreachable"},
		{&ox.Error{Kind: ox.ErrDisplayNameUsed}, "taken"},
		{&ox.Error{Kind: ox.ErrDatabaseUpdate}, "updating"},
		{fmt.Errorf("create: %w", &ucs.Error{Kind: ucs.ErrDenied}), "credentials"},
		{&dovecot.Error{Kind: dovecot.ErrOverQuota}, "full"},
		{&dovecot.Error{Kind: dovecot.ErrUnknownOutcome}, "lost-answer"},
		{fmt.Errorf("schoolmail: context 21 is full (5 of 5): %w", schoolmail.ErrConflict), "full"},
		{fmt.Errorf("schoolmail: account x: %w", schoolmail.ErrConflict), "changed"},
		{errors.New("something else"), ""},
	} {
		if got := causeOf(c.err.Error()); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
	var known []string
	for _, c := range causes {
		known = append(known, c.cause)
	}
	if d := cmp.Diff(len(report.Causes())-2, len(known)); d != "" { // "waits" and "other" are no errors
		t.Errorf("causes %q of %q", known, report.Causes())
	}
}
