package site

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/ox"
)

// groupware asks each server of Open-Xchange.
func (f *preflight) groupware(ctx context.Context) {
	for _, endpoint := range f.set.OXEndpoints {
		server := "Open-Xchange " + endpoint
		o := f.set.OX
		o.HTTPClient = f.watch(server, "ox", "soap_urls").client(o.HTTPClient, nil)
		o.Logger, o.Observer, o.Timeout = nil, nil, preflightTime/2
		client, err := ox.New([]string{endpoint}, f.set.OXMaster, &o)
		if err != nil {
			f.failed(ctx, server, "ox", "soap_urls", err)
			continue
		}
		if err := client.Ping(ctx); err != nil {
			key := "soap_urls"
			if errors.Is(err, ox.ErrCredentials) || errors.Is(err, ox.ErrPermissionDenied) {
				key = "master_password"
			}
			f.failed(ctx, server, "ox", key, err)
		} else {
			f.contexts(ctx, server, client)
			f.loginNames(ctx, server, client)
		}
		f.copies(ctx, server, client)
		client.CloseIdleConnections()
	}
	if u := f.set.OXHTTPURL; u != "" {
		w := f.watch("Open-Xchange "+u, "ox", "http_url")
		w.visitWith(ctx, u, w.client(f.set.OX.HTTPClient, nil))
	}
}

// loginNames asks, where a policy changes user names, whether Open-Xchange lets it.
func (f *preflight) loginNames(ctx context.Context, server string, client *ox.Client) {
	if f.plan != nil || !f.set.Policy.Naming.ChangeUsernames { // who makes a plan has asked
		return
	}
	g := ox.NewGroupware(client, f.set.OXAdmins, nil)
	for _, c := range f.set.Policy.Contexts {
		cc := client.Context(c.ID, f.set.OXAdmins[c.ID])
		for id, err := range cc.Users.IDs(ctx, &ox.UserQuery{Length: askedForAccess}) {
			if err != nil {
				break // told already
			}
			u, err := cc.Users.Get(ctx, ox.UserRef{ID: id})
			if err != nil || u.ContextAdmin {
				continue
			}
			can, err := g.CanRename(ctx, schoolmail.Place{Context: c.ID, UserID: id, Username: u.Name})
			switch {
			case err != nil:
				f.failed(ctx, server, "ox", "soap_urls", err)
			case !can:
				f.say(Problem{Server: server, Key: "[naming] change_usernames", Warning: true,
					Missing: noRenames + "; until then a new user name is held, and the rest of a rename is done"})
			}
			return
		}
	}
}

// copies asks for the service that copies users.
func (f *preflight) copies(ctx context.Context, server string, client *ox.Client) {
	if !f.needs.copies {
		return
	}
	can, err := ox.NewGroupware(client, nil, nil).CanCopy(ctx)
	switch {
	case err != nil:
		f.failed(ctx, server, "ox", "soap_urls", err)
	case !can:
		f.failed(ctx, server, "ox", "soap_urls", errors.New("cannot copy users: the service OXUserCopyService is not "+
			"installed (open-xchange-admin-user-copy and open-xchange-admin-soap-usercopy)"))
	}
}

// contexts tries the administrators of the contexts that are there, and looks for the
// access combinations of their populations.
func (f *preflight) contexts(ctx context.Context, server string, client *ox.Client) {
	var g errgroup.Group
	g.SetLimit(8)
	for _, c := range f.set.Policy.Contexts {
		g.Go(func() error {
			blame := fmt.Sprintf("context id = %d", c.ID)
			there, err := client.Contexts.Exists(ctx, c.ID)
			if err != nil {
				f.failed(ctx, server, "ox", "soap_urls", err)
			}
			if err != nil || !there {
				return nil // the plan makes it
			}
			err = client.Context(c.ID, f.set.OXAdmins[c.ID]).Ping(ctx)
			if err != nil && !errors.Is(err, ox.ErrDatabaseUpdate) { // runs leave it out until that is over
				f.failed(ctx, server, blame, "admin_password", err)
			}
			return nil
		})
	}
	_ = g.Wait()
	for _, p := range f.set.Policy.Populations {
		if _, shipped := ox.NamedAccess(p.Access); shipped || p.Access == "" || f.given(ctx, client, p) {
			continue
		}
		f.say(Problem{Server: server, Key: fmt.Sprintf("[population %s] access", p.Name), Warning: true,
			Missing: fmt.Sprintf("%q is no access combination that Open-Xchange ships, and no user was found who has it; "+
				"the server's ModuleAccessDefinitions.properties must have it", p.Access)})
	}
}

// askedForAccess is how many users of a context are asked for their combination.
const askedForAccess = 20

// given reports whether one of the first users of a population's contexts has its
// access combination: Open-Xchange has no request that lists those it knows.
func (f *preflight) given(ctx context.Context, client *ox.Client, p schoolmail.Population) bool {
	for _, id := range p.Contexts {
		cc := client.Context(id, f.set.OXAdmins[id])
		for user, err := range cc.Users.IDs(ctx, &ox.UserQuery{Length: askedForAccess}) {
			if err != nil {
				break
			}
			if name, err := cc.Users.AccessName(ctx, ox.UserRef{ID: user}); err == nil && name == p.Access {
				return true
			}
		}
	}
	return false
}

// nobodyName is a name that no account has; below it in DNS there is nothing (RFC 2606).
const nobodyName = "schoolmail-check.invalid"

// mail asks each mail server for the commands that accounts need, for a person who does
// not exist.
func (f *preflight) mail(ctx context.Context) {
	for i, address := range append([]string{f.set.DoveadmURL}, f.set.Doveadm.Hosts...) {
		key := "doveadm_url"
		if i > 0 {
			key = "hosts"
		}
		server := "doveadm " + address
		w := f.watch(server, "mail", key)
		o := f.set.Doveadm
		o.Hosts, o.Logger, o.TLS = nil, nil, w.config(o.TLS)
		if o.HTTPClient != nil {
			o.HTTPClient = w.client(o.HTTPClient, nil)
		}
		client, err := dovecot.New(address, &o)
		if err == nil {
			err = f.commands(ctx, server, client, i == 0)
		}
		if errors.Is(err, dovecot.ErrUnauthorized) {
			key = "api_key"
			if o.APIKey == "" {
				key = "password"
			}
		}
		if err != nil {
			f.failed(ctx, server, "mail", key, err)
		}
	}
}

// inbox is what most commands want beside the user.
var inbox = dovecot.Params{"mailbox": []string{"INBOX"}}

type mailCommand struct {
	name          string
	writes, purge bool
	params        dovecot.Params
}

// mailCommands are those of the life of an account, beside what has a call of its own.
var mailCommands = []mailCommand{
	{"mailboxList", false, false, nil},
	{"mailboxStatus", false, false, dovecot.Params{"mailboxMask": []string{"INBOX"}, "field": []string{"messages"}}},
	{"quotaGet", false, false, nil},
	{"mailboxCreate", true, false, inbox},
	{"mailboxSubscribe", true, false, inbox},
	{"mailboxPath", false, true, inbox},
	{"mailboxUnsubscribe", true, true, inbox},
	{"expunge", true, true, dovecot.Params{"query": []string{"mailbox", "INBOX", "ALL"}}},
	{"mailboxDelete", true, true, inbox},
}

// sieveCommands are those for mail to closed mailboxes; they concern nobody's scripts.
var sieveCommands = []mailCommand{
	{"sieveList", false, false, nil},
	{"sieveGet", false, false, dovecot.Params{"scriptname": nobodyName}},
	{"sievePut", true, false, dovecot.Params{"scriptname": nobodyName, "file": "keep;\n"}},
	{"sieveActivate", true, false, dovecot.Params{"scriptname": nobodyName}},
	{"sieveDelete", true, false, dovecot.Params{"scriptname": []string{nobodyName}}},
}

// commands tells which commands the server refuses. Where the server takes anybody for
// a user, commands that would write for this one are left out. Only the host for mail
// is asked for those about mail.
func (f *preflight) commands(ctx context.Context, server string, client *dovecot.Client, mail bool) error {
	const nobody = "nobody@" + nobodyName
	info, err := client.Server(ctx)
	if err != nil {
		return err
	}
	var refused []string
	ask := func(name string, err error) error {
		if errors.Is(err, dovecot.ErrForbidden) {
			refused = append(refused, name)
			return nil
		}
		for _, fine := range []error{dovecot.ErrNoUser, dovecot.ErrNotFound, dovecot.ErrUnsupported} {
			if errors.Is(err, fine) {
				return nil
			}
		}
		return err
	}
	_, uerr := client.User(ctx, nobody)
	unknown := errors.Is(uerr, dovecot.ErrNoUser)
	_, ferr := client.FlushAuthCache(ctx, nobody)
	_, kerr := client.Kick(ctx, nobody)
	if err := errors.Join(ask("user", uerr), ask("auth cache flush", ferr), ask("kick", kerr)); err != nil {
		return err
	}
	list := mailCommands
	if f.needs.closing && mail {
		if list = append(slices.Clone(list), sieveCommands...); !info.Sieve {
			f.failed(ctx, server, "notices", "at_end", errors.New("the server has no Sieve (Pigeonhole), which answers mail "+
				"to closed mailboxes and passes it on"))
		}
	}
	for _, c := range list {
		if _, there := info.Commands[c.name]; !there || !mail || c.writes && !unknown || c.purge && !f.needs.purge {
			continue
		}
		p := dovecot.Params{"user": nobody}
		maps.Copy(p, c.params)
		// One by one: 2.3 answers a batch with a refused command by what is no JSON. Of
		// nobody's mail only a refusal matters.
		_, err := client.Do(ctx, c.name, p)
		if err := ask(words(c.name), err); errors.Is(err, dovecot.ErrUnavailable) {
			return err
		}
	}
	if slices.Sort(refused); len(refused) > 0 {
		return fmt.Errorf("the server refuses %s: its doveadm_allowed_commands must name them", strings.Join(refused, ", "))
	}
	return nil
}

// words writes a command as doveadm_allowed_commands does: "mailbox list".
func words(command string) string {
	var b strings.Builder
	for _, r := range command {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
