package dovecottest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// dsync simulates backup and sync between a user's mail and the mail below
// another home of this server, the destination "maildir:HOME/Maildir". It
// copies whole mailboxes with UIDs, UIDVALIDITY, GUIDs, flags, dates and
// subscriptions. Destinations elsewhere end the process, as one that cannot be
// reached does.
func dsync(s *Server, c *mailContext) ([]row, error) {
	dest := c.list("destination")
	if len(dest) != 1 {
		return nil, errDied
	}
	home, ok := strings.CutPrefix(dest[0], "maildir:")
	if !ok && s.cfg.series24 {
		return nil, exit(75)
	}
	if !ok {
		return nil, errDied
	}
	home, _, _ = strings.Cut(home, ":")
	home = strings.TrimSuffix(cleanHome(home), "/Maildir")
	s.mu.Lock()
	other := s.storeAt(home) // a missing one comes into being, empty
	s.mu.Unlock()
	if other == c.st {
		return nil, exit(75)
	}

	// The other store is copied under its own lock and then worked on as a
	// value, since taking both locks could meet the opposite order.
	c.st.mu.Unlock()
	other.mu.Lock()
	theirs := other.snapshot()
	other.mu.Unlock()
	c.st.mu.Lock()
	ours := c.st.snapshot()

	backup := c.command == "backup"
	oneWay := backup || c.flag("onewaySync")
	var err error
	if !oneWay || c.flag("reverseSync") {
		err = c.st.receive(theirs, backup)
	}
	if !oneWay || !c.flag("reverseSync") {
		c.st.mu.Unlock()
		other.mu.Lock()
		if e := other.receive(ours, backup); err == nil {
			err = e
		}
		other.mu.Unlock()
		c.st.mu.Lock()
	}
	if err != nil {
		return nil, err
	}
	if c.has("state") {
		return []row{{{"state", base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "state of %s", home))}}}, nil
	}
	return nil, nil
}

// snapshot copies the mailboxes, sharing message bodies.
func (st *store) snapshot() *store {
	out := newStore(st.cfg)
	for n, b := range st.boxes {
		nb := &mailbox{name: n, guid: b.guid, validity: b.validity, uidNext: b.uidNext, modSeq: b.modSeq}
		for _, m := range b.msgs {
			c := *m
			c.flags = slices.Clone(m.flags)
			nb.msgs = append(nb.msgs, &c)
		}
		out.boxes[n] = nb
	}
	for n := range st.subs {
		out.subs[n] = true
	}
	return out
}

// receive brings what src has into st. With exact, what st has besides goes.
func (st *store) receive(src *store, exact bool) error {
	var err error
	if ours, theirs := st.boxes["INBOX"], src.boxes["INBOX"]; exact && ours != nil && theirs != nil &&
		ours.guid != theirs.guid {
		// An INBOX with another identity is in the way and cannot be deleted:
		// all is lost before the copy begins.
		src = newStore(st.cfg)
	}
	for _, n := range sortedKeys(src.boxes) {
		from := src.boxes[n]
		to := st.boxes[n]
		if to == nil {
			to = st.create(n)
		}
		if to.guid == from.guid {
			st.addNew(to, from)
		} else {
			st.takeOver(to, from, exact)
		}
		to.uidNext = max(to.uidNext, from.uidNext)
		if exact {
			st.keepOnly(to, from)
		}
		to.modSeq = max(to.modSeq, from.modSeq)
	}
	for n := range src.subs {
		st.subs[n] = true
	}
	if !exact {
		return nil
	}
	for n, b := range st.boxes {
		if src.boxes[n] != nil {
			continue
		}
		if n != "INBOX" {
			st.drop(b)
			continue
		}
		for len(b.msgs) > 0 {
			st.remove(b, b.msgs[0])
		}
		err = exit(65) // INBOX cannot be deleted
	}
	return err
}

// addNew brings what is new in a mailbox that was seen before.
func (st *store) addNew(to, from *mailbox) {
	have := make(map[string]*message, len(to.msgs))
	for _, m := range to.msgs {
		have[m.guid] = m
	}
	for _, m := range from.msgs {
		switch old := have[m.guid]; {
		case old != nil:
			st.setFlags(to, old, m.flags, nil)
		case m.uid >= to.uidNext:
			to.uidNext = m.uid
			st.add(to, m)
		default: // its UID is taken
			st.add(to, m)
		}
	}
}

// takeOver gives a mailbox the source's identity; own messages get new UIDs.
func (st *store) takeOver(to, from *mailbox, exact bool) {
	own := to.msgs
	to.guid, to.validity = from.guid, from.validity
	to.msgs, to.bytes, to.uidNext = nil, 0, 1
	for _, m := range from.msgs {
		to.uidNext = m.uid
		st.add(to, m)
	}
	to.uidNext = max(to.uidNext, from.uidNext)
	if exact {
		return
	}
	for _, m := range own {
		st.add(to, m)
	}
}

// keepOnly removes what the source does not have.
func (st *store) keepOnly(to, from *mailbox) {
	keep := make(map[string]bool, len(from.msgs))
	for _, m := range from.msgs {
		keep[m.guid] = true
	}
	for _, m := range slices.Clone(to.msgs) {
		if !keep[m.guid] {
			st.remove(to, m)
		}
	}
}
