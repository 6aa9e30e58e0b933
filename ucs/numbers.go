package ucs

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/ucs/internal/layout"
)

// numbers hands out uid or gid numbers. UCS counts in the attribute
// univentionLastUsedValue of cn=uidNumber (cn=gidNumber) below
// cn=temporary,cn=univention and locks each number while it makes an object.
// Here whole blocks are reserved, so that a number costs next to nothing:
//
//  1. The counter is moved on by a compare-and-swap.
//  2. A lock entry "schoolmail-FIRST-LAST" tells other clients of this kind,
//     should UCS set the counter back.
//  3. The tree is searched for numbers of the block that are in use, and for
//     numbers that UCS holds a lock on; these are left out.
//
// What is not used is given back when the client is closed, if nobody has
// counted on since. A UCS process that read the counter before step 1 and
// takes its lock after step 3 could still get the same number; between the
// two it would have to sleep for three requests.
type numbers struct {
	c    *Client
	name string
	own  int // first number of the range that UDM does not reach

	mu    sync.Mutex
	free  []int // ascending
	last  int   // last number of the block
	size  int   // of the next block
	lock  string
	until time.Time
}

// lockTime is how long a block is held. A block that outlives it is dropped.
const lockTime = time.Hour

const (
	firstBlock = 4
	maxBlock   = 512
)

// The ranges of UCS: above 55000 it goes on at 65536.
const (
	lowEnd    = 55000
	highBegin = 65536
	highEnd   = 1000000
)

// next returns a number that nothing in the tree has.
func (n *numbers) next(ctx context.Context) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.free) > 0 && time.Now().After(n.until) {
		n.free = nil
	}
	for len(n.free) == 0 {
		if err := n.reserve(ctx); err != nil {
			return 0, fmt.Errorf("%s: %w", n.name, err)
		}
	}
	v := n.free[0]
	n.free = n.free[1:]
	return v, nil
}

func (n *numbers) container(d *domain) string {
	if n.c.opts.BesideUDM {
		return "cn=schoolmail-" + n.name + ",cn=temporary,cn=univention," + d.base
	}
	return "cn=" + n.name + ",cn=temporary,cn=univention," + d.base
}

// reserve takes the next block.
func (n *numbers) reserve(ctx context.Context) error {
	d, err := n.c.load(ctx)
	if err != nil {
		return err
	}
	n.unlock(ctx)
	n.size = min(max(n.size*2, firstBlock), maxBlock)
	dn := n.container(d)
	first, last, err := n.count(ctx, d, dn)
	if err != nil {
		return err
	}
	until := time.Now().Add(lockTime)
	n.lock = "cn=" + lockName(first, last) + "," + dn
	req := ldap.NewAddRequest(n.lock, nil)
	req.Attribute("objectClass", []string{"top", "lock"})
	req.Attribute("cn", []string{lockName(first, last)})
	req.Attribute("lockTime", []string{strconv.FormatInt(until.Unix(), 10)})
	if err := n.c.add(ctx, req); err != nil && code(err) != ldap.LDAPResultEntryAlreadyExists && !lost(err) {
		return err
	}
	used, err := n.used(ctx, d, first, last)
	if err != nil {
		return err
	}
	n.last, n.until, n.free = last, until, n.free[:0]
	for v := first; v <= last; v++ {
		if !used[v] {
			n.free = append(n.free, v)
		}
	}
	return nil
}

// count moves the counter on by a block.
func (n *numbers) count(ctx context.Context, d *domain, dn string) (first, last int, err error) {
	for try := 1; ; try++ {
		e, err := n.c.get(ctx, dn, "univentionLastUsedValue")
		if err == nil && e == nil && n.c.opts.BesideUDM {
			if err = n.begin(ctx, d, dn); err == nil {
				e, err = n.c.get(ctx, dn, "univentionLastUsedValue")
			}
		}
		if err != nil {
			return 0, 0, err
		}
		old, err := strconv.Atoi(valueOf(e, "univentionLastUsedValue"))
		if err != nil {
			return 0, 0, invalid("counter %s is missing or has no number", dn)
		}
		if first, last, err = block(old, n.size); err != nil {
			return 0, 0, err
		}
		err = n.c.setCounter(ctx, dn, old, last)
		// Else somebody else counted on, or the answer was lost: then the numbers
		// may be lost too, which does no harm.
		if err == nil || !(code(err) == ldap.LDAPResultNoSuchAttribute || lost(err)) || try >= 20 || ctx.Err() != nil {
			return first, last, err
		}
	}
}

// block returns the numbers after old, leaving out those that UCS does not use.
func block(old, size int) (first, last int, err error) {
	first = old + 1
	if first > lowEnd && first < highBegin {
		first = highBegin
	}
	last = first + size - 1
	if first <= lowEnd {
		last = min(last, lowEnd)
	}
	if last > highEnd {
		err = invalid("all numbers up to %d are used", highEnd)
	}
	return first, last, err
}

// begin makes the counter of the range of our own.
func (n *numbers) begin(ctx context.Context, d *domain, dn string) error {
	e := layout.Container(parentDN(dn), firstRDN(dn))
	e.Attrs[0].Values = append(e.Attrs[0].Values, "univentionLastUsed")
	e.Set("univentionLastUsedValue", itoa(n.own-1))
	return n.c.addUnlessThere(ctx, d, e)
}

func lockName(first, last int) string { return fmt.Sprintf("schoolmail-%d-%d", first, last) }

// used finds the numbers of a range that entries or locks hold.
func (n *numbers) used(ctx context.Context, d *domain, first, last int) (map[int]bool, error) {
	used := map[int]bool{}
	r := func(attr string) string { return fmt.Sprintf("(&(%s>=%d)(%s<=%d))", attr, first, attr, last) }
	for e, err := range n.c.pages(ctx, query{d.base, ldap.ScopeWholeSubtree, "(|" + r("uidNumber") + r("gidNumber") + ")",
		[]string{"uidNumber", "gidNumber"}}) {
		if err != nil {
			return nil, err
		}
		for _, a := range []string{"uidNumber", "gidNumber"} {
			if v, err := strconv.Atoi(e.value(a)); err == nil {
				used[v] = true
			}
		}
	}
	for e, err := range n.c.pages(ctx, query{n.container(d), ldap.ScopeSingleLevel, "(objectClass=lock)",
		[]string{"cn", "lockTime"}}) {
		if err != nil {
			return nil, err
		}
		t, _ := strconv.ParseInt(e.value("lockTime"), 10, 64)
		if strings.EqualFold(e.dn, n.lock) || t < time.Now().Unix() {
			continue
		}
		if v, err := strconv.Atoi(e.value("cn")); err == nil {
			used[v] = true
			continue
		}
		var a, b int
		if k, _ := fmt.Sscanf(e.value("cn"), "schoolmail-%d-%d", &a, &b); k == 2 {
			for v := max(a, first); v <= min(b, last); v++ {
				used[v] = true
			}
		}
	}
	return used, nil
}

func (c *Client) setCounter(ctx context.Context, dn string, old, value int) error {
	req := ldap.NewModifyRequest(dn, nil)
	req.Delete("univentionLastUsedValue", []string{itoa(old)})
	req.Add("univentionLastUsedValue", []string{itoa(value)})
	return c.modify(ctx, req)
}

// unlock removes the lock of the block before. An orphan does no harm: it
// expires.
func (n *numbers) unlock(ctx context.Context) {
	if n.lock == "" {
		return
	}
	if err := n.c.remove(ctx, n.lock); err != nil {
		n.c.opts.Logger.DebugContext(ctx, "ucs: lock of a number block stays until it expires", "error", err)
	}
	n.lock = ""
}

// release gives back what was not used.
func (n *numbers) release(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lock == "" {
		return
	}
	d, err := n.c.load(ctx)
	if err == nil && len(n.free) > 0 {
		// Not a range that has holes: only the unbroken rest can go back.
		v := n.last + 1
		for i := len(n.free) - 1; i >= 0 && n.free[i] == v-1; i-- {
			v--
		}
		if v <= n.last {
			err = n.c.setCounter(ctx, n.container(d), n.last, v-1)
		}
	}
	if err != nil {
		n.c.opts.Logger.DebugContext(ctx, "ucs: reserved numbers could not be given back", "error", err)
	}
	n.free = nil
	n.unlock(ctx)
}

func valueOf(e *entry, name string) string {
	if e == nil {
		return ""
	}
	return e.value(name)
}
