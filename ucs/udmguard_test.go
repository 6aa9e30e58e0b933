package ucs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
)

func besideUDM(o *ucs.Options) { o.BesideUDM = true }

func (b *backend) temporary(kind string) string {
	return "cn=" + kind + ",cn=temporary,cn=univention," + b.base
}

// children returns the names below an entry.
func (b *backend) children(t *testing.T, dn string) []string {
	t.Helper()
	res, err := b.conn(t).Search(ldap.NewSearchRequest(dn, ldap.ScopeSingleLevel, 0, 0, 0, false, "(objectClass=*)",
		[]string{"cn"}, nil))
	if err != nil {
		t.Fatalf("children of %s: %v", dn, err)
	}
	var out []string
	for _, e := range res.Entries {
		out = append(out, e.GetAttributeValue("cn"))
	}
	slices.Sort(out)
	return out
}

// The importer's counters end up above every number that we have used.
func TestCountersOfTheImporter(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		counters := func(kind string) string {
			dn := "cn=" + kind + ",cn=ucsschool,cn=univention," + b.base
			var out []string
			for _, n := range b.children(t, dn) {
				out = append(out, n+"="+b.value(t, "cn="+n+","+dn, "ucsschoolUsernameNextNumber"))
			}
			return strings.Join(out, " ")
		}
		b.add(t, "cn=jan.bauer,cn=unique-usernames,cn=ucsschool,cn=univention,"+b.base, "objectClass", "ucsschoolUsername",
			"cn", "jan.bauer", "ucsschoolUsernameNextNumber", "2")
		b.add(t, "cn=lea,cn=unique-usernames,cn=ucsschool,cn=univention,"+b.base, "objectClass", "ucsschoolUsername",
			"cn", "lea", "ucsschoolUsernameNextNumber", "9")
		c := b.client(t, besideUDM)
		for i, name := range []string{"ida.aebel", "jan.bauer3", "lea5", "lea12", "mia2"} {
			create(t, c, with(pupil(), func(a *schoolmail.Account) {
				a.Username, a.Key.ID, a.Mail, a.Aliases = name, strconv.Itoa(i), name+"@schulen.example", nil
			}), "x")
		}
		if got, want := counters("unique-usernames"), "ida.aebel=2 jan.bauer=4 lea=13 mia=3"; got != want {
			t.Errorf("user names: %s, want %s", got, want)
		}
		if got, want := counters("unique-email"), "ida.aebel=2 jan.bauer=4 lea=13 mia=3"; got != want {
			t.Errorf("addresses: %s, want %s", got, want)
		}
		for _, kind := range []string{"uid", "mailPrimaryAddress", "groupName"} {
			if left := b.children(t, b.temporary(kind)); len(left) != 0 {
				t.Errorf("locks left: %s %q", kind, left)
			}
		}
		if got := b.value(t, b.temporary("uidNumber"), "univentionLastUsedValue"); got != "2000" {
			t.Errorf("UDM's counter was moved to %s", got)
		}
		if got := b.value(t, read(t, c, "ida.aebel").DN, "uidNumber"); got != "500000" {
			t.Errorf("uidNumber = %s", got)
		}
	})
}

// A lock that UDM holds is waited for, one that has expired is taken over, and
// one that UDM keeps for minutes is an error that may pass.
func TestLocksOfUDM(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		lock := func(name string, end time.Duration) string {
			dn := "cn=" + name + "," + b.temporary("uid")
			b.add(t, dn, "objectClass", "top|lock", "cn", name, "lockTime", strconv.FormatInt(time.Now().Add(end).Unix(), 10))
			return dn
		}
		c := b.client(t, besideUDM)
		ucs.SetUDMPatience(c, 200*time.Millisecond)
		person := func(name string) schoolmail.Account {
			return with(pupil(), func(a *schoolmail.Account) { a.Username, a.Key.ID, a.Mail, a.Aliases = name, name, "", nil })
		}
		lock("expired", -time.Minute)
		create(t, c, person("expired"), "x")

		dn := lock("busy", 10*time.Second)
		go func() {
			time.Sleep(50 * time.Millisecond) // UDM is at work; the outcome is the same if it has finished before
			b.conn(t).Del(ldap.NewDelRequest(dn, nil))
		}()
		create(t, c, person("busy"), "x")

		lock("refused", 300*time.Second)
		err := c.CreateAccount(t.Context(), person("refused"), "x")
		if e, ok := errors.AsType[*ucs.Error](err); !ok || !e.Temporary() || !errors.Is(err, ucs.ErrUnavailable) {
			t.Errorf("a lock for minutes: %v", err)
		}
		if left := b.children(t, b.temporary("uid")); !cmp.Equal(left, []string{"refused"}) {
			t.Errorf("locks: %q", left)
		}
	})
}

// An account whose making was cut off gets another address in the next run: the
// lock on it is held once.
func TestCompleteUnderLock(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, besideUDM)
		pending := with(pupil(), func(a *schoolmail.Account) { a.State = schoolmail.Pending })
		create(t, c, pending, "x")
		other := with(pending, func(a *schoolmail.Account) { a.Mail = "ida.2@schulen.example" })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := c.CreateAccount(ctx, other, "x"); err != nil {
			t.Fatal(err)
		}
		if got := read(t, c, "ida.aebel").Mail; got != other.Mail {
			t.Errorf("mail = %s", got)
		}
	})
}

// likeUDM makes an account as UDM does: lock on the name, look, take a number
// from the counter, lock it, look, add, count, unlock.
func likeUDM(t *testing.T, b *backend, conn *ldap.Conn, name string) error {
	lock := func(kind, value string) (string, error) {
		dn := "cn=" + value + "," + b.temporary(kind)
		req := ldap.NewAddRequest(dn, nil)
		req.Attribute("objectClass", []string{"top", "lock"})
		req.Attribute("cn", []string{value})
		req.Attribute("lockTime", []string{strconv.FormatInt(time.Now().Unix()+300, 10)})
		return dn, conn.Add(req)
	}
	taken := func(filter string) bool {
		res, err := conn.Search(ldap.NewSearchRequest(b.base, ldap.ScopeWholeSubtree, 0, 0, 0, false, filter,
			[]string{"1.1"}, nil))
		return err != nil || len(res.Entries) > 0
	}
	dn, err := lock("uid", name)
	if err != nil {
		return fmt.Errorf("locked: %w", err)
	}
	defer conn.Del(ldap.NewDelRequest(dn, nil))
	if taken("(|(uid=" + name + ")(&(objectClass=posixGroup)(cn=" + name + ")))") {
		return errors.New("taken")
	}
	n, _ := strconv.Atoi(b.value(t, b.temporary("uidNumber"), "univentionLastUsedValue"))
	for n++; ; n++ {
		dn, err := lock("uidNumber", strconv.Itoa(n))
		if err != nil {
			continue
		}
		if taken(fmt.Sprintf("(|(uidNumber=%d)(gidNumber=%d))", n, n)) {
			conn.Del(ldap.NewDelRequest(dn, nil))
			continue
		}
		defer conn.Del(ldap.NewDelRequest(dn, nil))
		break
	}
	b.add(t, "uid="+name+",cn=users,"+b.base, "objectClass", "top|person|inetOrgPerson|posixAccount|univentionObject",
		"uid", name,
		"cn", name, "sn", name, "uidNumber", strconv.Itoa(n), "gidNumber", "5000", "homeDirectory", "/home/"+name,
		"univentionObjectType", "users/user")
	b.modify(t, b.temporary("uidNumber"), "univentionLastUsedValue", strconv.Itoa(n))
	return nil
}

// Hundreds of our creates race some of UDM's for the same names: no name and no
// number is given twice.
func TestRaceWithUDM(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, besideUDM)
		const ours, theirs = 300, 40
		var wg sync.WaitGroup
		name := func(i int) string { return fmt.Sprintf("pupil%03d", i) }
		var made [2]sync.Map
		jobs := make(chan int)
		for range 16 {
			wg.Go(func() {
				for i := range jobs {
					err := c.CreateAccount(t.Context(), with(pupil(), func(a *schoolmail.Account) {
						a.Username, a.Key.ID, a.Mail, a.Aliases = name(i), name(i), name(i)+"@schulen.example", nil
					}), "x")
					switch {
					case err == nil:
						made[0].Store(name(i), true)
					case !errors.Is(err, schoolmail.ErrConflict):
						t.Error(err)
					}
				}
			})
		}
		for k := range 4 {
			wg.Go(func() {
				conn := b.conn(t)
				for j := k; j < theirs; j += 4 {
					n := name(j * ours / theirs)
					if likeUDM(t, b, conn, n) == nil {
						made[1].Store(n, true)
					}
				}
			})
		}
		for i := range ours {
			jobs <- i
		}
		close(jobs)
		wg.Wait()
		res, err := b.conn(t).Search(ldap.NewSearchRequest(b.base, ldap.ScopeWholeSubtree, 0, 0, 0, false,
			"(|(uid=pupil*)(objectClass=posixGroup))",
			[]string{"uid", "uidNumber", "gidNumber", "objectClass"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		uids, numbers, people := map[string]int{}, map[string]int{}, 0
		for _, e := range res.Entries {
			if uid := e.GetAttributeValue("uid"); uid != "" {
				people++
				uids[uid]++
				numbers[e.GetAttributeValue("uidNumber")]++
			} else {
				numbers[e.GetAttributeValue("gidNumber")]++
			}
		}
		for _, m := range []map[string]int{uids, numbers} {
			for k, n := range m {
				if n > 1 {
					t.Errorf("%s was given %d times", k, n)
				}
			}
		}
		if people != ours {
			t.Errorf("%d people, want %d: one for each name", people, ours)
		}
		made[0].Range(func(k, _ any) bool {
			if _, both := made[1].Load(k); both {
				t.Errorf("%s was made by both", k)
			}
			return true
		})
	})
}

// Notes are changed by compare-and-swap: of many who try, one wins.
func TestNotes(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		cs := []*ucs.Client{b.client(t, nil), b.client(t, nil), b.client(t, nil)}
		round := func(old string, text func(i int) string) (winner string) {
			t.Helper()
			var wg sync.WaitGroup
			var mu sync.Mutex
			wins := 0
			for i := range 9 {
				wg.Go(func() {
					done, err := cs[i%len(cs)].SwapNote(t.Context(), "lease", old, text(i))
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					if done {
						wins++
						winner = text(i)
					}
				})
			}
			wg.Wait()
			if got, err := cs[0].Note(t.Context(), "lease"); err != nil || got != winner || wins != 1 {
				t.Fatalf("%d won; note reads %q, want %q (%v)", wins, got, winner, err)
			}
			return winner
		}
		if got, err := cs[0].Note(t.Context(), "lease"); got != "" || err != nil {
			t.Errorf("before the first: %q, %v", got, err)
		}
		first := round("", func(i int) string { return fmt.Sprintf("host%d; (x*y)", i) })
		second := round(first, func(i int) string { return fmt.Sprintf("host%d+", i) })
		if done, err := cs[1].SwapNote(t.Context(), "lease", first, "late"); done || err != nil {
			t.Errorf("swapped an old text: %v, %v", done, err)
		}
		if done, err := cs[1].SwapNote(t.Context(), "lease", first, ""); done || err != nil {
			t.Errorf("removed by an old text: %v, %v", done, err)
		}
		round(second, func(int) string { return "" })
		if done, err := cs[1].SwapNote(t.Context(), "lease", second, "x"); done || err != nil {
			t.Errorf("swapped what is gone: %v, %v", done, err)
		}
		round("", func(i int) string { return fmt.Sprint("again", i) })
	})
}
