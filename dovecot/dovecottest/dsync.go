package dovecottest

import (
	"cmp"
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

	backup, full := c.command == "backup", c.flag("fullSync")
	oneWay := backup || c.flag("onewaySync")
	var err error
	if !oneWay || c.flag("reverseSync") {
		err = c.st.receive(theirs, backup, full)
	}
	if !oneWay || !c.flag("reverseSync") {
		c.st.mu.Unlock()
		other.mu.Lock()
		if e := other.receive(ours, backup, full); err == nil {
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

// receive brings what src has into st. With exact, what st has besides goes. Without full, mailboxes are
// left alone that give the same numbers on both sides.
func (st *store) receive(src *store, exact, full bool) error {
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
		switch {
		case to.guid != from.guid:
			st.takeOver(to, from, exact)
		case !full && sameNumbers(to, from):
			continue
		case !exact:
			st.merge(to, from)
		case contradicts(to, from) && n == "INBOX": // and cannot be deleted
			st.empty(to)
			err = exit(65)
			continue
		case contradicts(to, from): // the next run makes it anew
			st.drop(to)
			err = cmp.Or[error](err, exit(75))
			continue
		default:
			st.addNew(to, from)
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
		st.empty(b)
		err = exit(65) // INBOX cannot be deleted
	}
	return err
}

// sameNumbers reports whether two mailboxes look unchanged to a dsync that does not compare everything.
func sameNumbers(a, b *mailbox) bool {
	return a.validity == b.validity && a.uidNext == b.uidNext && a.modSeq == b.modSeq && len(a.msgs) == len(b.msgs)
}

// at is the message that has a UID, nil if none has.
func (b *mailbox) at(uid uint32) *message {
	for _, m := range b.msgs {
		if m.uid == uid {
			return m
		}
	}
	return nil
}

// contradicts reports whether a backup cannot bring a message to its UID, since another has it or had it.
func contradicts(to, from *mailbox) bool {
	for _, m := range from.msgs {
		if old := to.at(m.uid); old == nil && m.uid < to.uidNext || old != nil && old.guid != m.guid {
			return true
		}
	}
	return false
}

// addAs stores a message under its UID, with its modification sequence.
func (st *store) addAs(to *mailbox, m *message) {
	own, theirs := to.modSeq, m.modSeq
	to.uidNext = m.uid
	st.add(to, m)
	m.modSeq, to.modSeq = theirs, max(own, theirs)
}

// addAnew stores messages under the next UIDs, in one go.
func (st *store) addAnew(to *mailbox, msgs []*message) {
	next := to.modSeq + 1
	for _, m := range msgs {
		st.add(to, m)
		m.modSeq, to.modSeq = next, next
	}
}

// setFlagsAs takes a message's flags over with their modification sequence.
func (st *store) setFlagsAs(to *mailbox, m, from *message) {
	if own := to.modSeq; st.setFlags(to, m, from.flags, nil) {
		m.modSeq, to.modSeq = from.modSeq, max(own, from.modSeq)
	}
}

// addNew brings what is new in a mailbox that was seen before, under its UIDs.
func (st *store) addNew(to, from *mailbox) {
	for _, m := range from.msgs {
		if old := to.at(m.uid); old != nil {
			st.setFlagsAs(to, old, m)
		} else {
			st.addAs(to, m)
		}
	}
}

// merge brings what is new in a mailbox that was seen before, and leaves what is in it. Of two
// messages that have the same UID both get another one. Of flags the later change counts.
func (st *store) merge(to, from *mailbox) {
	have := make(map[string]bool, len(to.msgs))
	for _, m := range to.msgs {
		have[m.guid] = true
	}
	var inTheWay, anew, as []*message
	for _, m := range from.msgs {
		old := to.at(m.uid)
		if old != nil && old.guid != m.guid {
			moved := *old
			inTheWay, anew = append(inTheWay, old), append(anew, &moved)
		}
		switch {
		case old != nil && old.guid == m.guid && m.modSeq > old.modSeq:
			st.setFlagsAs(to, old, m)
		case old != nil && old.guid == m.guid && m.modSeq == old.modSeq:
			st.setFlags(to, old, slices.Concat(old.flags, m.flags), nil)
		case have[m.guid]: // under this UID or another
		case old == nil && m.uid >= to.uidNext:
			as = append(as, m)
		default:
			anew = append(anew, m)
		}
	}
	st.remove(to, inTheWay...)
	for _, m := range as {
		st.addAs(to, m)
	}
	st.addAnew(to, anew)
}

// empty removes all messages.
func (st *store) empty(b *mailbox) { st.remove(b, slices.Clone(b.msgs)...) }

// takeOver gives a mailbox the source's identity; own messages get new UIDs.
func (st *store) takeOver(to, from *mailbox, exact bool) {
	own := to.msgs
	to.guid, to.validity, to.modSeq = from.guid, from.validity, from.modSeq
	to.msgs, to.bytes, to.uidNext = nil, 0, 1
	for _, m := range from.msgs {
		st.addAs(to, m)
	}
	to.uidNext = max(to.uidNext, from.uidNext)
	if !exact {
		st.addAnew(to, own)
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
