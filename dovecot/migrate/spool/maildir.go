package spool

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// folderTag tells the mailboxes of a spool apart in file names, which Dovecot
// uses as message ids and keeps when a message moves.
func folderTag(user, folder, uniqueID string, validity uint32) string {
	sum := sha1.Sum([]byte(fmt.Sprintf("%s\x00%s\x00%s\x00%d", user, folder, uniqueID, validity)))
	return hex.EncodeToString(sum[:4])
}

// naming makes and recognises the file names of one source mailbox.
type naming struct {
	validity uint32
	tag      string
}

// base is the name without flags.
func (n naming) base(r *record, size, virtual int64) string {
	return fmt.Sprintf("%d.U%dV%d.%s.cyrus,S=%d,W=%d", r.date, r.uid, n.validity, n.tag, size, virtual)
}

// uid recognises a name that base made, with or without flags.
func (n naming) uid(name string) (uint32, bool) {
	name, _, _ = strings.Cut(name, ",")
	rest, ok := strings.CutSuffix(name, fmt.Sprintf("V%d.%s.cyrus", n.validity, n.tag))
	if !ok {
		return 0, false
	}
	_, number, ok := strings.Cut(rest, ".U")
	uid, err := strconv.ParseUint(number, 10, 32)
	return uint32(uid), ok && err == nil && uid > 0
}

// onDisk is one message at the target.
type onDisk struct {
	name   string // below the folder: "cur/..."
	uid    uint32 // in the uidlist, 0 if not there
	listed bool
}

func (o onDisk) base() string {
	base, _, _ := strings.Cut(filepath.Base(o.name), ":")
	return base
}

// splitFlags divides a file's name into base and flag letters.
func splitFlags(name string) (base, letters string) {
	base, info, _ := strings.Cut(filepath.Base(name), ":")
	letters, _ = strings.CutPrefix(info, "2,")
	letters, _, _ = strings.Cut(letters, ",") // other programs add fields of their own
	return base, letters
}

// withFlags makes a name in cur.
func withFlags(base string, letters []byte) string {
	slices.Sort(letters)
	return filepath.Join("cur", base+":2,"+string(slices.Compact(letters)))
}

// target is one Maildir folder.
type target struct {
	d      *disk
	dir    string
	inbox  bool
	list   uidlist
	naming naming
	ours   map[uint32]onDisk // by source UID, from file names
	theirs int               // other files
	// foreign are other files by UID, only when they are asked for.
	foreign map[uint32]onDisk
	letters [maxKeywords]string
	// entries are base names of ours in the uidlist, by source UID: those
	// without a file, and all when the list was changed since it was read.
	entries map[uint32]string
}

var maildirSubs = []string{"tmp", "new", "cur"}

// prepare makes the directories.
func (t *target) prepare() error {
	// In the layout fs there may be levels in between that are no folders.
	var missing []string
	for dir := filepath.Dir(t.dir); !exists(dir); dir = filepath.Dir(dir) {
		missing = append(missing, dir)
	}
	for _, dir := range slices.Backward(missing) {
		if err := t.d.mkdir(dir); err != nil {
			return err
		}
	}
	if err := t.d.mkdir(t.dir); err != nil {
		return err
	}
	for _, sub := range maildirSubs {
		if err := t.d.mkdir(filepath.Join(t.dir, sub)); err != nil {
			return err
		}
	}
	if mark := filepath.Join(t.dir, "maildirfolder"); !t.inbox && !exists(mark) {
		f, err := t.d.create(mark)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err == nil {
			return f.Close()
		}
	}
	return nil
}

// names calls f for every file of a subdirectory; a missing one has none.
func (t *target) names(sub string, f func(name string)) error {
	d, err := os.Open(filepath.Join(t.dir, sub))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1000)
		for _, n := range names {
			if !strings.HasPrefix(n, ".") {
				f(n)
			}
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// read looks at what is there. With foreign, files that are not ours are
// gathered too.
func (t *target) read(foreign bool) error {
	t.ours, t.theirs, t.foreign, t.entries = map[uint32]onDisk{}, 0, nil, map[uint32]string{}
	var bases map[string]string
	if foreign {
		bases, t.foreign = map[string]string{}, map[uint32]onDisk{}
	}
	// cur last: a file that moves there meanwhile is seen twice, not never.
	for _, sub := range []string{"new", "cur"} {
		if err := t.names(sub, func(name string) {
			path := filepath.Join(sub, name)
			if uid, ok := t.naming.uid(name); ok {
				t.ours[uid] = onDisk{name: path}
				return
			}
			t.theirs++
			if foreign {
				base, _, _ := strings.Cut(name, ":")
				bases[base] = path
			}
		}); err != nil {
			return err
		}
	}
	var err error
	t.list, err = readUIDList(filepath.Join(t.dir, uidlistName), func(uid uint32, base string) {
		if source, ok := t.naming.uid(base); ok {
			if o, ok := t.ours[source]; ok {
				o.uid, o.listed = uid, true
				t.ours[source] = o
			} else {
				t.entries[source] = base
			}
			return
		}
		if path, ok := bases[base]; ok {
			t.foreign[uid] = onDisk{name: path, uid: uid, listed: true}
		}
	})
	if err != nil {
		return err
	}
	t.letters, err = readKeywords(filepath.Join(t.dir, keywordsName))
	return err
}

// clean removes what a killed run has left in tmp.
func (t *target) clean() error {
	var left []string
	if err := t.names("tmp", func(name string) {
		if _, ok := t.naming.uid(name); ok {
			left = append(left, name)
		}
	}); err != nil {
		return err
	}
	for _, name := range left {
		if err := t.d.remove(filepath.Join(t.dir, "tmp", name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// locked runs f under the lock of the uidlist, which is read again if somebody
// has changed it.
func (t *target) locked(ctx context.Context, f func() error) (err error) {
	path := filepath.Join(t.dir, uidlistName)
	unlock, err := t.d.lock(ctx, path)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, unlock())
	}()
	st, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if (err == nil) != t.list.exists || t.list.exists && !same(st, t.list.stat) {
		validity := t.list.validity
		t.entries = map[uint32]string{}
		if t.list, err = readUIDList(path, func(_ uint32, base string) {
			if uid, ok := t.naming.uid(base); ok {
				t.entries[uid] = base
			}
		}); err != nil {
			return err
		}
		if validity != 0 && t.list.validity != validity {
			return fmt.Errorf("%w: at the target it was %d and is %d", ErrUIDValidity, validity, t.list.validity)
		}
	}
	return f()
}

func same(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// arrival is a message that becomes, or has become, a file in cur and needs a UID.
type arrival struct {
	uid   uint32 // at the source
	tmp   string // file in tmp, "" if it is in cur or new already
	name  string // "cur/..."
	entry entry
	size  int64
}

// deliver makes a batch of messages visible. It returns how many got a UID
// other than the source's, because Dovecot had given that to a message of its own.
func (t *target) deliver(ctx context.Context, batch []arrival) (renumbered []uint32, err error) {
	var files []string
	for _, a := range batch {
		if a.tmp != "" {
			files = append(files, filepath.Join(t.dir, "tmp", a.tmp))
		}
	}
	if err := t.d.syncFiles(files); err != nil {
		return nil, err
	}
	err = t.locked(ctx, func() error {
		if t.list.torn {
			if err := t.d.writeUIDList(t.dir, &t.list, true); err != nil {
				return err
			}
		}
		for _, a := range batch {
			if a.tmp != "" {
				if err := t.d.rename(filepath.Join(t.dir, "tmp", a.tmp), filepath.Join(t.dir, a.name)); err != nil {
					return err
				}
			}
		}
		if len(files) > 0 {
			if err := t.d.syncDir(filepath.Join(t.dir, "cur")); err != nil {
				return err
			}
		}
		lines, next, again, err := t.entriesFor(batch)
		if err != nil {
			return err
		}
		renumbered = again
		if len(lines) == 0 {
			return nil
		}
		path := filepath.Join(t.dir, uidlistName)
		if err := t.d.appendTo(path, lines); err != nil {
			return err
		}
		t.list.next = next
		t.list.stat, err = os.Stat(path)
		return err
	})
	return renumbered, err
}

// entriesFor are the lines of the UID list for a batch, and which of its messages get another UID.
func (t *target) entriesFor(batch []arrival) (lines []byte, next uint32, renumbered []uint32, err error) {
	next = t.list.next
	for _, a := range batch {
		base := onDisk{name: a.name}.base()
		if t.entries[a.uid] == base {
			continue // an entry whose file had gone, or that Dovecot has made
		}
		uid := a.uid
		if uid < next {
			uid = next
			renumbered = append(renumbered, a.uid)
		}
		if uid == 1<<32-1 {
			return nil, 0, nil, errors.New("no UIDs are left")
		}
		next = uid + 1
		lines = fmt.Appendf(lines, "%d :%s\n", uid, base)
	}
	return lines, next, renumbered, nil
}

// begin gives the folder the source's UIDVALIDITY before the first message
// comes. Dovecot's index of an empty folder stays: Dovecot notices the change and
// begins it anew, also in sessions that have the folder open, which the
// index must not be taken away from.
func (t *target) begin(ctx context.Context, next uint32) error {
	return t.locked(ctx, func() error {
		l := uidlist{validity: t.naming.validity, next: next}
		if err := t.d.writeUIDList(t.dir, &l, false); err != nil {
			return err
		}
		t.list = l
		return nil
	})
}

// end raises the next UID to the source's.
func (t *target) end(ctx context.Context, next uint32) error {
	if t.list.next >= next && !t.list.torn {
		return nil
	}
	return t.locked(ctx, func() error {
		t.list.next = max(t.list.next, next)
		return t.d.writeUIDList(t.dir, &t.list, true)
	})
}

// find returns the file of a source message, with an empty name if there is none.
func (t *target) find(uid uint32) onDisk {
	if o, ok := t.ours[uid]; ok {
		return o
	}
	return t.foreign[uid]
}

func (t *target) isOurs(uid uint32) bool { _, ok := t.ours[uid]; return ok }

func (t *target) put(uid uint32, o onDisk) {
	if t.isOurs(uid) {
		t.ours[uid] = o
	} else {
		t.foreign[uid] = o
	}
}

// moved reports whether the file of a message is there under another name
// than the one that was read.
func (t *target) moved(uid uint32) bool {
	base := t.find(uid).base()
	found := false
	for _, sub := range []string{"new", "cur"} {
		t.names(sub, func(name string) {
			b, _, _ := strings.Cut(name, ":")
			found = found || b == base
		})
	}
	return found
}
