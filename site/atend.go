package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/site/notify"
)

// AtEnd says what becomes of mail to a mailbox that has closed. The first rule that is
// about an account holds. Where there are rules, what an earlier run has set up is taken
// back when the person returns, and before the mail is removed for ever.
type AtEnd struct {
	What AtEndWhat
	Days int // how long, from the day of the deactivation on
	// The people: of all of these that are not empty.
	Populations []string
	Schools     []schoolmail.SchoolID
}

// AtEndWhat is what becomes of mail to a closed mailbox.
type AtEndWhat string

// What may become of it. What is passed on is not kept, what is answered is.
const (
	AtEndAnswer  AtEndWhat = "answer"  // by the text of the kind [notify.Answer]
	AtEndForward AtEndWhat = "forward" // to the private address, where there is one
	AtEndNothing AtEndWhat = "nothing"
)

// A closer is a mail store that can do something with mail to a closed mailbox.
type closer interface {
	CloseMailbox(ctx context.Context, a schoolmail.Account, k dovecot.Closed) error
	OpenMailbox(ctx context.Context, a schoolmail.Account) error
}

// closing sees to mail to the mailboxes that a plan closes, opens or removes.
type closing struct {
	store limitedMailstore
	closer
	site  *Site
	kinds map[schoolmail.RecordKey]schoolmail.Kind // what the plan does with whom
}

// checkCloser refuses rules that the mail store cannot follow, as one that a program brings.
func (s *Site) checkCloser(*Settings) error {
	if _, ok := s.parts.Mailstore.(closer); len(s.atEnd) > 0 && !ok {
		return errors.New("notices.at_end: the mail store can neither answer mail nor pass it on")
	}
	return nil
}

// closing makes the ports of a plan see to mail to closed mailboxes, if there are rules.
func (s *Site) closing(ports *schoolmail.Ports, plan *schoolmail.Plan) {
	store := s.mailstore()
	c, ok := store.Mailstore.(closer)
	if len(s.atEnd) == 0 || !ok {
		return
	}
	m := closing{store, c, s, map[schoolmail.RecordKey]schoolmail.Kind{}}
	for i := range plan.Steps {
		switch k := plan.Steps[i].Kind(); k {
		case schoolmail.KindDeactivate, schoolmail.KindReactivate, schoolmail.KindCancelNotice:
			m.kinds[plan.Steps[i].Key] = k
		}
	}
	ports.Directory = closingDirectory{ports.Directory, m}
	ports.Mailstore = closingMailstore{store, m}
}

// closingDirectory does it before the directory says that an account is closed, or open
// again: what has failed before that the next plan has once more.
type closingDirectory struct {
	schoolmail.Directory
	m closing
}

func (d closingDirectory) ChangeAccount(ctx context.Context, before, after schoolmail.Account) error {
	var err error
	switch kind := d.m.kinds[after.Key]; {
	case kind == schoolmail.KindDeactivate && after.State == schoolmail.Deactivated:
		err = d.m.close(ctx, after)
	case (kind == schoolmail.KindReactivate || kind == schoolmail.KindCancelNotice) && after.State == schoolmail.Active:
		err = d.m.open(ctx, after) // of a notice called off: closing may have been cut off
	}
	if err != nil {
		return err
	}
	return d.Directory.ChangeAccount(ctx, before, after)
}

// closingMailstore leaves nothing behind for the next who gets the home.
type closingMailstore struct {
	limitedMailstore
	m closing
}

func (s closingMailstore) RemoveMailbox(ctx context.Context, a schoolmail.Account) error {
	if err := s.m.open(ctx, a); err != nil {
		return err
	}
	return s.limitedMailstore.RemoveMailbox(ctx, a)
}

func (m closing) close(ctx context.Context, a schoolmail.Account) error {
	k, why, err := m.site.AtItsEnd(&a)
	if err != nil {
		return err
	}
	if why != "" {
		m.site.teller.tell(fmt.Sprintf("%s: %s", a.Key, why))
	}
	if k.Until.IsZero() {
		return nil
	}
	err = m.limited(ctx, func(ctx context.Context) error { return m.CloseMailbox(ctx, a, k) })
	if errors.Is(err, dovecot.ErrNoUser) { // nothing is delivered to whom the server does not know
		m.site.teller.tell(fmt.Sprintf("%s: the mail server does not know the account, so that mail to it is neither "+
			"answered nor passed on", a.Key))
		return nil
	}
	return err
}

func (m closing) open(ctx context.Context, a schoolmail.Account) error {
	return m.limited(ctx, func(ctx context.Context) error { return m.OpenMailbox(ctx, a) })
}

func (m closing) limited(ctx context.Context, f func(context.Context) error) error {
	defer during(m.store.took)()
	return limited(ctx, "mail server", m.store.limit, f)
}

// ruleAtEnd returns the rule about an account that does something, if any, and until when.
func (s *Site) ruleAtEnd(a *schoolmail.Account) (r AtEnd, until schoolmail.Date) {
	for _, r := range s.atEnd {
		if !s.concerns(a, r.Populations, r.Schools) {
			continue
		}
		if r.What == AtEndNothing || a.Deactivated.IsZero() {
			break
		}
		return r, a.Deactivated.AddDays(r.Days)
	}
	return AtEnd{What: AtEndNothing}, 0
}

// AtItsEnd returns what becomes of mail to an account that is deactivated, by the rules; until
// no day if nothing does. why says what the policy wants and cannot have.
func (s *Site) AtItsEnd(a *schoolmail.Account) (k dovecot.Closed, why string, err error) {
	r, until := s.ruleAtEnd(a)
	switch r.What {
	case AtEndForward:
		if !s.canForward(a) {
			return k, "there is no private address outside of our own domains to pass mail on to", nil
		}
		return dovecot.Closed{Until: until, ForwardTo: a.NoticeMail}, "", nil
	case AtEndAnswer:
		k = dovecot.Closed{Until: until, Addresses: append([]string{a.Mail}, a.Aliases...)}
		texts := s.settings.SMTP.Texts
		if texts == nil {
			texts = notify.DefaultTexts(s.language)
		}
		k.Subject, k.Text, err = texts.Render(schoolmail.Notice{Kind: notify.Answer, Account: *a},
			cmp.Or(s.settings.SMTP.Site, s.name))
	}
	return k, "", err
}

// canForward reports whether an account has a private address, one that mail does not come
// back from.
func (s *Site) canForward(a *schoolmail.Account) bool {
	p, err := mail.ParseAddress(a.NoticeMail)
	if err != nil || p.Address != a.NoticeMail {
		return false
	}
	own := []string{a.Mail[strings.LastIndexByte(a.Mail, '@')+1:]}
	for _, x := range s.policy.Populations {
		own = append(own, x.Domain)
	}
	domain := "." + strings.ToLower(p.Address[strings.LastIndexByte(p.Address, '@')+1:])
	return !slices.ContainsFunc(own, func(d string) bool {
		return d != "" && strings.HasSuffix(domain, "."+strings.ToLower(d))
	})
}

// atEndNow says what is done with an account's mail on a day, "" if nothing is.
func (s *Site) atEndNow(a *schoolmail.Account, day schoolmail.Date) string {
	what, until := s.endOfMail(a)
	if a.State != schoolmail.Deactivated || until <= day {
		return ""
	}
	return fmt.Sprintf("%s until %s", what, until)
}

// endOfMail says for -calendar and -explain what is done with an account's mail, and until
// when; no day: nothing.
func (s *Site) endOfMail(a *schoolmail.Account) (what string, until schoolmail.Date) {
	k, _, err := s.AtItsEnd(a)
	switch {
	case err != nil:
		return "", 0
	case k.ForwardTo != "":
		return "mail is forwarded", k.Until
	}
	return "mail is answered automatically", k.Until
}
