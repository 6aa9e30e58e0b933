package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// maxUserDB is the largest database of one user that is read.
const maxUserDB = 64 << 20

// errNoDB means that there is no such file.
var errNoDB = errors.New("no such database")

// userDB reads one of a user's databases, NAME.kind in the directories by
// name and kind.db in those by id of INBOX.
func (s *store) userDB(user, inboxID, kind string) (keys map[string]string, file string, err error) {
	if s.Config == "" {
		return nil, "", errNoDB
	}
	name, domain := internalUser(user)
	tops := []string{""}
	if domain != "" {
		tops = append(matches(s.Config, "domain", "?", domain), matches(s.Config, "domain", domain)...)
	}
	var files []string
	if len(inboxID) > 2 && !strings.ContainsAny(inboxID, "/.") {
		files = append(files, filepath.Join(s.Config, "user", "uuid", inboxID[:1], inboxID[1:2], inboxID, kind+".db"))
	}
	for _, top := range tops {
		for _, dir := range append(matches(s.Config, top, "user"), matches(s.Config, top, "user", "?")...) {
			files = append(files, filepath.Join(s.Config, dir, name+"."+kind))
		}
	}
	for _, file := range files {
		b, err := readLimited(file, maxUserDB)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, file, err
		}
		keys, err := parseDB(b)
		if err != nil {
			err = fmt.Errorf("%s: %w", file, err)
		}
		return keys, file, err
	}
	return nil, "", errNoDB
}

// parseDB reads a database in the formats flat and skiplist.
func parseDB(b []byte) (map[string]string, error) {
	switch {
	case bytes.HasPrefix(b, []byte(skiplistMagic)):
		return parseSkiplist(b)
	case bytes.HasPrefix(b, []byte("\241\002\213\015")):
		return nil, errors.New("the format is neither flat nor skiplist (cvt_cyrusdb converts it)")
	}
	keys := map[string]string{}
	for line := range strings.Lines(string(b)) {
		k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok {
			return nil, fmt.Errorf("%w: a line without TAB", ErrDamaged)
		}
		keys[k] = v
	}
	return keys, nil
}

const (
	skiplistMagic  = "\241\002\213\015skiplist file\x00\x00\x00"
	skiplistHeader = 48

	skiplistInOrder = 1
	skiplistAdd     = 2
	skiplistDelete  = 4
	skiplistCommit  = 255
	skiplistDummy   = 257
)

// parseSkiplist reads the records in the order of the file: first those of the
// last checkpoint, then a log of additions and deletions with commits between.
// What no commit follows has not happened.
func parseSkiplist(b []byte) (map[string]string, error) {
	if len(b) < skiplistHeader {
		return nil, fmt.Errorf("%w: skiplist without a header", ErrDamaged)
	}
	if v := binary.BigEndian.Uint32(b[20:]); v != 1 {
		return nil, fmt.Errorf("%w: skiplist of version %d", ErrDamaged, v)
	}
	logStart := int64(binary.BigEndian.Uint32(b[40:]))
	p := &skiplistReader{b: b, i: skiplistHeader, keys: map[string]string{}, at: map[uint32]string{}}
	for p.i+4 <= len(b) {
		start := p.i
		more, err := p.record()
		if err != nil {
			return nil, fmt.Errorf("%w at %d", err, start)
		}
		if !more {
			break // a torn tail
		}
		if int64(p.i) <= logStart {
			p.commit()
		}
	}
	return p.keys, nil
}

// skiplistReader is a file that is being read.
type skiplistReader struct {
	b       []byte
	i       int
	keys    map[string]string
	at      map[uint32]string // key by the place of its record
	pending []skiplistChange
}

type skiplistChange struct {
	key, value string
	remove     bool
}

func (p *skiplistReader) commit() {
	for _, c := range p.pending {
		if c.remove {
			delete(p.keys, c.key)
		} else {
			p.keys[c.key] = c.value
		}
	}
	p.pending = p.pending[:0]
}

func (p *skiplistReader) word() (uint32, bool) {
	if p.i+4 > len(p.b) {
		return 0, false
	}
	v := binary.BigEndian.Uint32(p.b[p.i:])
	p.i += 4
	return v, true
}

func (p *skiplistReader) text() (string, bool) {
	n, ok := p.word()
	if !ok || int64(n) > int64(len(p.b)-p.i) {
		return "", false
	}
	s := string(p.b[p.i : p.i+int(n)])
	p.i = min(p.i+(int(n)+3)&^3, len(p.b))
	return s, true
}

// record reads one record; more is false where the file ends within it.
func (p *skiplistReader) record() (more bool, err error) {
	start := uint32(p.i)
	kind, _ := p.word()
	switch kind {
	case skiplistDummy, skiplistInOrder, skiplistAdd:
		key, ok1 := p.text()
		value, ok2 := p.text()
		if !ok1 || !ok2 || !p.pointers() {
			return false, nil
		}
		if kind != skiplistDummy {
			p.at[start] = key
			p.pending = append(p.pending, skiplistChange{key: key, value: value})
		}
	case skiplistDelete:
		off, ok := p.word()
		if !ok {
			return false, nil
		}
		p.pending = append(p.pending, skiplistChange{key: p.at[off], remove: true})
	case skiplistCommit:
		p.commit()
	default:
		return false, fmt.Errorf("%w: skiplist record of kind %d", ErrDamaged, kind)
	}
	return true, nil
}

// pointers skips those of a record, ended by -1.
func (p *skiplistReader) pointers() bool {
	for {
		v, ok := p.word()
		if !ok || v == 1<<32-1 {
			return ok
		}
	}
}

// subscriptions returns the folders of the user's own that the user has
// subscribed, in the form of [mailbox].folder.
func (s *store) subscriptions(user, inboxID string) (map[string]bool, error) {
	keys, _, err := s.userDB(user, inboxID, "sub")
	if err != nil {
		return nil, err
	}
	name, domain := internalUser(user)
	out := map[string]bool{}
	for k := range keys {
		if strings.HasPrefix(k, "\x1f") {
			continue // the version
		}
		if rest, ok := strings.CutPrefix(k, "NINBOX"); ok && (rest == "" || rest[0] == '\x1f') {
			// Since 3.6 levels end in a unit separator, and dots are dots.
			rest = strings.ReplaceAll(strings.TrimPrefix(rest, "\x1f"), ".", "^")
			out[strings.ReplaceAll(rest, "\x1f", ".")] = true
			continue
		}
		if d, rest, ok := strings.Cut(k, "!"); ok && d == domain {
			k = rest
		}
		if rest, ok := strings.CutPrefix(k, "user."+name); ok && (rest == "" || rest[0] == '.') {
			out[strings.TrimPrefix(rest, ".")] = true
		}
	}
	return out, nil
}

// parseSeen reads an entry of the seen database: version, time of the last
// reading, last UID, time of the last change, UIDs as a sequence set.
func parseSeen(s string) (imapwire.Set, error) {
	f := strings.Fields(s)
	if len(f) < 4 || f[0] != "1" {
		return nil, fmt.Errorf("%w: seen entry %.40q", ErrDamaged, s)
	}
	var set imapwire.Set
	if len(f) == 4 {
		return set, nil // nothing has been read
	}
	last := uint64(0)
	for part := range strings.SplitSeq(f[4], ",") {
		a, b, ok := strings.Cut(part, ":")
		if !ok {
			b = a
		}
		from, err1 := strconv.ParseUint(a, 10, 32)
		to, err2 := strconv.ParseUint(b, 10, 32)
		if err1 != nil || err2 != nil || from == 0 || to < from || from <= last {
			return nil, fmt.Errorf("%w: seen entry %.40q", ErrDamaged, s)
		}
		set.AddRange(uint32(from), uint32(to))
		last = to
	}
	return set, nil
}
