package spool

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/ictmedia/schoolmail/dovecot/migrate/internal/statefile"
)

// state is the memory of one account: which messages were delivered, and with
// which flags. An entry is written only after its message is at the target,
// so that one that is not there any more has been removed by the user.
type state struct {
	db      *bolt.DB
	pending []pendingEntry
	folders map[string]*folderState
	saved   map[string]string // folders as stored
}

var (
	bucketFolders  = []byte("folders")
	bucketMessages = []byte("messages")
)

// folderState is what was true when the last run left a source folder. The
// key is the internal name.
type folderState struct {
	Target   string `json:"target"` // raw
	Validity uint32 `json:"validity"`
	ID       string `json:"id"` // the mailbox's unique id
	// Print is of the source's files when everything in them had been dealt
	// with; "" if something is left.
	Print string `json:"print,omitempty"`
	// Foreign says that files of an earlier conversion were taken for ours.
	Foreign    bool `json:"foreign,omitempty"`
	Subscribed bool `json:"subscribed,omitempty"`
}

// entry is the flags of a delivered message as they were at the source.
type entry struct{ flags []string }

type pendingEntry struct {
	folder string
	uid    uint32
	entry  entry
	remove bool
}

// stateFile lies beside the one of the migration over IMAP.
func stateFile(dir, account string) string {
	return strings.TrimSuffix(statefile.Path(dir, account), ".db") + ".spool"
}

// checkMigrate looks at the state that package migrate keeps of the same
// account: once it knows a folder, what that package has brought would be
// brought again.
func checkMigrate(dir, account string) error {
	began, err := statefile.HasBegun(dir, account)
	switch {
	case errors.Is(err, statefile.ErrBusy):
		return ErrBusy
	case err != nil:
		return fmt.Errorf("%w: %w", ErrMigrated, err)
	case began:
		return ErrMigrated
	}
	return nil
}

func openState(dir, account string) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	file := stateFile(dir, account)
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType,
		NoFreelistSync: true})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", file, err)
	}
	s := &state{db: db, folders: map[string]*folderState{}, saved: map[string]string{}}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, b := range [][]byte{bucketFolders, bucketMessages} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		return s.readFolders(tx)
	})
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("state %s: %w", file, err)
	}
	return s, nil
}

// peekState reads the decisions of earlier runs and changes nothing.
func peekState(dir, account string) (*state, error) {
	s := &state{folders: map[string]*folderState{}, saved: map[string]string{}}
	file := stateFile(dir, account)
	if !exists(file) {
		return s, nil
	}
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Second, ReadOnly: true})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrBusy
	}
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", file, err)
	}
	defer db.Close()
	return s, db.View(s.readFolders)
}

func (s *state) readFolders(tx *bolt.Tx) error {
	b := tx.Bucket(bucketFolders)
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, v []byte) error {
		f := &folderState{}
		name := strings.TrimSuffix(string(k), ".")
		s.folders[name], s.saved[name] = f, string(v)
		return json.Unmarshal(v, f)
	})
}

func (s *state) close() error { return s.db.Close() }

// entries reads a folder's messages.
func (s *state) entries(folder string) (map[uint32]entry, error) {
	out := map[uint32]entry{}
	flags := map[string][]string{} // there are few different ones
	err := s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketMessages).Bucket([]byte(folder + "."))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if len(k) != 4 {
				return fmt.Errorf("%w: state of folder %q", ErrDamaged, folder)
			}
			f, ok := flags[string(v)]
			if !ok {
				f = strings.Fields(string(v))
				flags[string(v)] = f
			}
			out[binary.BigEndian.Uint32(k)] = entry{f}
			return nil
		})
	})
	return out, err
}

// count is the number of saved entries of all folders.
func (s *state) count() (n int, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMessages).ForEachBucket(func(k []byte) error {
			c := tx.Bucket(bucketMessages).Bucket(k).Cursor()
			for key, _ := c.First(); key != nil; key, _ = c.Next() {
				n++
			}
			return nil
		})
	})
	return n, err
}

const maxUnsaved = 1000

func (s *state) put(folder string, uid uint32, e entry) {
	s.pending = append(s.pending, pendingEntry{folder: folder, uid: uid, entry: e})
}

func (s *state) remove(folder string, uid uint32) {
	s.pending = append(s.pending, pendingEntry{folder: folder, uid: uid, remove: true})
}

// saveSometimes saves when much has come together.
func (s *state) saveSometimes(d *disk) error {
	if len(s.pending) < maxUnsaved {
		return nil
	}
	return s.save(d)
}

// save writes everything in one transaction.
func (s *state) save(d *disk) error {
	changed := map[string]string{}
	for name, f := range s.folders {
		v, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if s.saved[name] != string(v) {
			changed[name] = string(v)
		}
	}
	if len(changed)+len(s.pending) == 0 {
		return nil
	}
	if err := d.step("state", s.db.Path()); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bolt.Tx) error {
		for name, v := range changed {
			// A key may not be empty, which INBOX's name is.
			if err := tx.Bucket(bucketFolders).Put([]byte(name+"."), []byte(v)); err != nil {
				return err
			}
		}
		for _, p := range s.pending {
			b, err := tx.Bucket(bucketMessages).CreateBucketIfNotExists([]byte(p.folder + "."))
			if err != nil {
				return err
			}
			b.FillPercent = 0.95
			key := binary.BigEndian.AppendUint32(nil, p.uid)
			if p.remove {
				err = b.Delete(key)
			} else {
				err = b.Put(key, []byte(strings.Join(p.entry.flags, " ")))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	s.pending = s.pending[:0]
	for name, v := range changed {
		s.saved[name] = v
	}
	return nil
}

// forget removes a folder that is gone at the source.
func (s *state) forget(folder string) error {
	delete(s.folders, folder)
	delete(s.saved, folder)
	return s.db.Update(func(tx *bolt.Tx) error {
		key := []byte(folder + ".")
		if err := tx.Bucket(bucketFolders).Delete(key); err != nil {
			return err
		}
		if m := tx.Bucket(bucketMessages); m.Bucket(key) != nil {
			return m.DeleteBucket(key)
		}
		return nil
	})
}
