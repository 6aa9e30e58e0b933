package ucs_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

func numbered(i int) schoolmail.Account {
	return with(pupil(), func(a *schoolmail.Account) {
		a.Username, a.Key.ID = fmt.Sprintf("user%05d", i), fmt.Sprintf("S-%05d", i)
		a.Mail, a.Aliases = a.Username+"@schulen.example", nil
		a.Memberships = []schoolmail.Membership{{School: "gsmitte", Classes: []string{"1a"}}}
	})
}

// Two clients create people at the same time: no number is given twice, all
// end in their groups, and a group is changed far less often than once each.
func TestCreateInParallel(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		const n = 120
		clients := []*ucs.Client{b.client(t, nil), b.client(t, nil)}
		// Numbers in use that the counter does not know, and one that UDM holds.
		b.add(t, "cn=intruder,cn=groups,"+b.base, "objectClass", "top|posixGroup", "cn", "intruder", "gidNumber", "2003")
		b.add(t, "cn=2007,cn=uidNumber,cn=temporary,cn=univention,"+b.base, "objectClass", "top|lock", "cn", "2007",
			"lockTime", strconv.FormatInt(time.Now().Unix()+300, 10))
		b.add(t, "cn=2009,cn=uidNumber,cn=temporary,cn=univention,"+b.base, "objectClass", "top|lock", "cn", "2009",
			"lockTime", "1000")
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { errs[i] = clients[i%2].CreateAccount(t.Context(), numbered(i), "x") })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		var uids []string
		res, err := b.conn(t).Search(ldap.NewSearchRequest(b.base, ldap.ScopeWholeSubtree, 0, 0, 0, false,
			"(objectClass=ucsschoolStudent)", []string{"uidNumber"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range res.Entries {
			uids = append(uids, e.GetAttributeValue("uidNumber"))
		}
		slices.Sort(uids)
		if len(uids) != n || len(slices.Compact(slices.Clone(uids))) != n || slices.Contains(uids, "2003") ||
			slices.Contains(uids, "2007") {
			t.Errorf("%d numbers: %v", len(uids), uids)
		}
		if !slices.Contains(uids, "2009") {
			t.Error("a lock that has expired kept its number")
		}
		for _, g := range []string{classDN(gsmitte, "gsmitte-1a"), groupDN(gsmitte, "Domain Users gsmitte")} {
			if m, u := b.values(t, g, "uniqueMember"), b.values(t, g, "memberUid"); len(m) != n || len(u) != n {
				t.Errorf("%s has %d members and %d user names, want %d", g, len(m), len(u), n)
			}
		}
		if m := clients[0].Stats().Modify + clients[1].Stats().Modify; m > 3*n/2 {
			t.Errorf("%d modify requests for %d people in 3 groups: not combined", m, n)
		}
		// Closing gives the unused numbers back and removes the locks.
		for _, c := range clients {
			c.Close()
		}
		res, err = b.conn(t).Search(ldap.NewSearchRequest("cn=temporary,cn=univention,"+b.base, ldap.ScopeWholeSubtree, 0,
			0, 0, false, "(cn=schoolmail-*)", nil, nil))
		if err != nil || len(res.Entries) != 0 {
			t.Errorf("locks left: %d, %v", len(res.Entries), err)
		}
	})
}

// The numbers that were reserved and not used go back to the counter.
func TestNumbersGoBack(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		create(t, c, pupil(), "x")
		c.Close()
		if got := b.value(t, "cn=uidNumber,cn=temporary,cn=univention,"+b.base, "univentionLastUsedValue"); got != "2001" {
			t.Errorf("counter = %s, want 2001", got)
		}
	})
}

func TestEnsureSchool(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, func(o *ucs.Options) { o.CreateSchools = true })
		for range 2 {
			if err := c.EnsureSchool(t.Context(), "ps-birkenfeld", "Primarschule Birkenfeld"); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.value(t, "ou=ps-birkenfeld,"+b.base, "displayName"); got != "Primarschule Birkenfeld" {
			t.Errorf("displayName = %q", got)
		}
		if err := c.EnsureSchool(t.Context(), "ps,x", ""); err == nil {
			t.Error("a school name with a comma was accepted")
		}
		// A pupil of a school and a mail domain that do not exist.
		a := with(pupil(), func(a *schoolmail.Account) {
			a.Memberships = []schoolmail.Membership{{School: "new_1", Classes: []string{"3, b"}}}
			a.Mail = "ida@neu.example"
		})
		create(t, c, a, "x")
		if d := diff(a, read(t, c, a.Username)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		got, err := c.Schools(t.Context())
		if want := []schoolmail.SchoolID{"gsmitte", "new_1", "ps-birkenfeld", "sek-nord"}; err != nil ||
			!slices.Equal(got, want) {
			t.Errorf("schools = %v, %v", got, err)
		}
	})
}

func TestEncrypted(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		for name, url := range map[string]string{"StartTLS": b.url, "ldaps": b.ldaps} {
			c, err := ucs.New(url, &ucs.Options{BindDN: b.bindDN, Password: b.password, TLS: b.tls()})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if s, err := c.Schools(t.Context()); err != nil || len(s) != 2 {
				t.Errorf("%s: %v, %v", name, s, err)
			}
			bad, err := ucs.New(url, &ucs.Options{BindDN: b.bindDN, Password: b.password})
			if err != nil {
				t.Fatal(err)
			}
			defer bad.Close()
			if _, err := bad.Schools(t.Context()); err == nil {
				t.Errorf("%s: a certificate of nobody was accepted", name)
			}
		}
	})
}

func TestWrongPassword(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, func(o *ucs.Options) { o.Password = "secret-guess" })
		_, err := c.Account(t.Context(), "x")
		e, ok := errors.AsType[*ucs.Error](err)
		if !ok || e.Kind != ucs.ErrDenied || e.Temporary() || strings.Contains(err.Error(), "secret-guess") {
			t.Errorf("error = %v", err)
		}
	})
}

// Whatever goes wrong on the way, the account is made once and completely.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]ucstest.Fault{
		"bind fails to answer":             {Op: "bind", Lose: ucstest.LoseAnswer},
		"connection ends before a search":  {Op: "search", Lose: ucstest.LoseRequest, After: 1},
		"search cut off":                   {Op: "search", Lose: ucstest.LoseAnswer, After: 2},
		"add not done":                     {Op: "add", DN: "uid=", Lose: ucstest.LoseRequest},
		"add done, answer lost":            {Op: "add", DN: "uid=", Lose: ucstest.LoseAnswer},
		"add busy":                         {Op: "add", DN: "uid=", Code: ldap.LDAPResultBusy},
		"group not changed":                {Op: "modify", DN: "cn=groups", Lose: ucstest.LoseRequest},
		"group changed, answer lost":       {Op: "modify", DN: "cn=groups", Lose: ucstest.LoseAnswer, Times: 2},
		"class made, answer lost":          {Op: "add", DN: "gsmitte-1a", Lose: ucstest.LoseAnswer},
		"number taken, answer lost":        {Op: "modify", DN: "cn=uidNumber", Lose: ucstest.LoseAnswer},
		"lock of the numbers, answer lost": {Op: "add", DN: "schoolmail-", Lose: ucstest.LoseAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSim(t)
			c := b.client(t, nil)
			b.sim.Inject(f)
			a := pupil()
			create(t, c, a, "x")
			if d := diff(a, read(t, c, a.Username)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, g := range []string{groupDN(gsmitte, "Domain Users gsmitte"), classDN(gsmitte, "gsmitte-1a")} {
				if got := b.value(t, g, "memberUid"); got != a.Username {
					t.Errorf("%s has %q", g, got)
				}
			}
		})
	}
}

func TestChangeAndPurgeWithFaults(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]ucstest.Fault{
		"change done, answer lost": {Op: "modify", DN: "uid=", Lose: ucstest.LoseAnswer},
		"change not done":          {Op: "modify", DN: "uid=", Lose: ucstest.LoseRequest},
		"move done, answer lost":   {Op: "modifydn", Lose: ucstest.LoseAnswer},
		"move not done":            {Op: "modifydn", Lose: ucstest.LoseRequest},
		"delete done":              {Op: "delete", Lose: ucstest.LoseAnswer},
		"delete not done":          {Op: "delete", Lose: ucstest.LoseRequest},
		"tombstone done":           {Op: "add", DN: "retired", Lose: ucstest.LoseAnswer, After: 1},
		"unavailable":              {Code: ldap.LDAPResultUnavailable, Times: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newSim(t)
			c := b.client(t, nil)
			a := pupil()
			create(t, c, a, "x")
			remove := b.sim.Inject(f)
			next := with(a, func(a *schoolmail.Account) {
				a.Memberships = []schoolmail.Membership{{School: "sek-nord", Classes: []string{"7b"}}}
				a.State, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 12, 1)
			})
			change(t, c, a, next)
			if d := diff(next, read(t, c, a.Username)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if err := c.PurgeAccount(t.Context(), next, schoolmail.NewDate(2027, 6, 1)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Account(t.Context(), a.Username); !errors.Is(err, schoolmail.ErrNotFound) {
				t.Errorf("after purge: %v", err)
			}
			remove()
		})
	}
}

// Connections that the server closed while idle are replaced unnoticed.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	b := newSim(t)
	c := b.client(t, nil)
	create(t, c, pupil(), "x")
	for range 3 {
		b.sim.DropConnections()
		read(t, c, "ida.aebel")
	}
}

// A server that stays busy is reported as a temporary failure.
func TestBusy(t *testing.T) {
	t.Parallel()
	b := newSim(t)
	c := b.client(t, nil)
	read := func() error { _, err := c.Account(t.Context(), "x"); return err }
	if err := read(); !errors.Is(err, schoolmail.ErrNotFound) {
		t.Fatal(err)
	}
	free := b.sim.Inject(ucstest.Fault{Op: "search", Code: ldap.LDAPResultBusy, Times: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Account(ctx, "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a busy server must end with the context: %v", err)
	}
	free()
	b.sim.Inject(ucstest.Fault{Op: "search", Lose: ucstest.LoseRequest, Times: -1})
	err := read()
	if e, ok := errors.AsType[*ucs.Error](err); !ok || !e.Temporary() {
		t.Errorf("error = %v, want a temporary one", err)
	}
}

// Cancelling ends a request at once, wherever it is.
func TestCancel(t *testing.T) {
	t.Parallel()
	b := newSim(t)
	c := b.client(t, nil)
	create(t, c, pupil(), "x")
	for _, op := range []string{"search", "modify", "modifydn"} {
		started := make(chan struct{})
		remove := b.sim.Inject(ucstest.Fault{Op: op, Delay: time.Hour,
			Match: func(ucstest.Call) bool { close(started); return true }})
		ctx, cancel := context.WithCancelCause(t.Context())
		errc := make(chan error)
		go func() {
			next := with(pupil(), func(a *schoolmail.Account) { a.Memberships = []schoolmail.Membership{{School: "sek-nord"}} })
			errc <- c.ChangeAccount(ctx, pupil(), next)
		}()
		<-started
		cause := errors.New("enough")
		cancel(cause)
		if err := <-errc; !errors.Is(err, cause) {
			t.Errorf("%s: %v, want the cause of the cancellation", op, err)
		}
		remove()
	}
	read(t, c, "ida.aebel") // the client still works
}

// A server that never answers is given up after the timeout.
func TestTimeout(t *testing.T) {
	t.Parallel()
	b := newSim(t)
	c := b.client(t, func(o *ucs.Options) { o.Timeout = 30 * time.Millisecond })
	b.sim.Inject(ucstest.Fault{Op: "search", Delay: time.Hour, Times: -1})
	_, err := c.Account(t.Context(), "x")
	if e, ok := errors.AsType[*ucs.Error](err); !ok || !e.Temporary() {
		t.Errorf("error = %v, want a temporary one", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "ucs-primary", "http://ucs/", "ldap://", "ldap://ucs/dc=x", "ldap://u:p ss"} {
		if _, err := ucs.New(u, nil); err == nil {
			t.Errorf("New(%q) was accepted", u)
		}
	}
	c, err := ucs.New("ldaps://ucs", &ucs.Options{Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
		return nil, errors.New("dialled " + addr)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Account(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "dialled ucs:7636") {
		t.Errorf("error = %v", err)
	}
	c.Close()
	if _, err := c.Account(t.Context(), "x"); err == nil {
		t.Error("a closed client works")
	}
}
