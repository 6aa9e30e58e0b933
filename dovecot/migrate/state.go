package migrate

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/ictmedia/schoolmail/dovecot/migrate/internal/statefile"
	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// state is the memory of one account: a bbolt file. Nothing in it is needed
// to be right; it makes runs fast and knows what the user deleted at the
// target. Every entry is a promise that the message has been stored, so that entries
// are written only after the target's OK.
type state struct {
	db      *bolt.DB
	acct    accountState
	fresh   bool   // there was no state before
	damaged string // the name under which an unreadable file was kept

	intents []intent // of an interrupted run, until this one has ended

	mu         sync.Mutex // lanes write at the same time
	pending    []pendingEntry
	flushed    time.Time
	saved      []byte // acct as stored
	intentFile *os.File
	intended   bool                // the file holds something
	underWay   map[string][]intent // batches without an answer yet, by source folder
}

var (
	bucketMeta    = []byte("meta")
	bucketFolders = []byte(statefile.Folders)
	bucketMsgs    = []byte("messages")
	bucketOld     = []byte("old") // of a source folder whose UIDVALIDITY changed
	keyAccount    = []byte("account")
)

type accountState struct {
	Digest digestKind `json:"digest"`
	Stage  Stage      `json:"stage"`
	Dirty  bool       `json:"dirty"` // a run has begun and not ended
	// NotesLost says that the notes of the run that has not ended, of flags under way, were on another machine.
	NotesLost bool      `json:"notesLost,omitempty"`
	CutOver   time.Time `json:"cutOver,omitzero"`
	Synced    time.Time `json:"synced,omitzero"`
	Reason    string    `json:"reason,omitempty"`
}

// folderState is what was true when the last run left a source folder.
type folderState struct {
	Target      string `json:"target"` // raw
	SrcValidity uint32 `json:"srcValidity"`
	SrcNext     uint32 `json:"srcNext"`
	SrcModSeq   uint64 `json:"srcModSeq"`
	SrcMessages uint32 `json:"srcMessages"`
	DstValidity uint32 `json:"dstValidity"`
	// DstBound: every target message below it is accounted for, as ours or
	// as somebody else's. 0 means that nothing is known yet.
	DstBound   uint32 `json:"dstBound"`
	Complete   bool   `json:"complete"` // nothing failed in the last run
	Created    bool   `json:"created"`  // by us
	Subscribed bool   `json:"subscribed"`
	// Lost are the source UIDs that had been copied and were no longer at
	// the target when the cut-over came, as text of a set.
	Lost string `json:"lost,omitempty"`
	// Search is the criterion that limited the messages of the last run.
	Search string `json:"search,omitempty"`
}

// entry is one source message that the target has, or had.
type entry struct {
	dst    uint32 // target UID, 0 if not known
	size   uint32 // capped at the type's maximum
	digest digest
	flags  []string // clean, as last brought to the target
}

type pendingEntry struct {
	folder string
	uid    uint32
	entry  entry
	remove bool
}

func openState(dir, account string) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("migrate: state: %w", err)
	}
	file := statefile.Path(dir, account)
	s := &state{flushed: time.Now(), underWay: map[string][]intent{}}
	open := func() error {
		db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType,
			NoFreelistSync: true})
		if err != nil {
			return err
		}
		s.db = db
		return db.Update(func(tx *bolt.Tx) error {
			for _, b := range [][]byte{bucketMeta, bucketFolders, bucketMsgs, bucketOld} {
				if _, err := tx.CreateBucketIfNotExists(b); err != nil {
					return err
				}
			}
			raw := tx.Bucket(bucketMeta).Get(keyAccount)
			s.fresh, s.saved = raw == nil, bytes.Clone(raw)
			if raw == nil {
				return nil
			}
			return json.Unmarshal(raw, &s.acct)
		})
	}
	_, statErr := os.Stat(file)
	err := open()
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrBusy
	}
	_, fromSystem := errors.AsType[syscall.Errno](err)
	if err != nil && statErr == nil && !fromSystem {
		// A damaged file is put aside: the run goes on as if it were lost. A
		// missing right or a full disk is not damage.
		if s.db != nil {
			s.db.Close()
		}
		s.damaged = file + ".damaged"
		if err := os.Rename(file, s.damaged); err != nil {
			return nil, fmt.Errorf("migrate: state: %w", err)
		}
		s.acct = accountState{}
		err = open()
	}
	if err != nil {
		return nil, fmt.Errorf("migrate: state %s: %w", file, err)
	}
	if err := s.openIntents(strings.TrimSuffix(file, ".db") + ".intent"); err != nil {
		s.db.Close()
		return nil, err
	}
	return s, nil
}

func (s *state) close() error {
	return errors.Join(s.intentFile.Close(), s.db.Close())
}

// folders reads all folder records.
func (s *state) folders() (map[string]*folderState, error) {
	out := map[string]*folderState{}
	err := s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketFolders).ForEach(func(k, v []byte) error {
			f := &folderState{}
			out[string(k)] = f
			return json.Unmarshal(v, f)
		})
	})
	return out, err
}

// save writes pending entries, the account and the given folder records in
// one transaction.
func (s *state) save(folders map[string]*folderState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saveLocked(folders)
}

func (s *state) saveLocked(folders map[string]*folderState) error {
	raw, err := json.Marshal(s.acct)
	if err != nil {
		return err
	}
	if len(s.pending) == 0 && len(folders) == 0 && bytes.Equal(raw, s.saved) {
		return nil
	}
	err = s.db.Update(func(tx *bolt.Tx) error {
		if err := tx.Bucket(bucketMeta).Put(keyAccount, raw); err != nil {
			return err
		}
		for name, f := range folders {
			v, err := json.Marshal(f)
			if err != nil {
				return err
			}
			if err := tx.Bucket(bucketFolders).Put([]byte(name), v); err != nil {
				return err
			}
		}
		for _, p := range s.pending {
			b, err := tx.Bucket(bucketMsgs).CreateBucketIfNotExists([]byte(p.folder))
			if err != nil {
				return err
			}
			b.FillPercent = 0.95
			key := binary.BigEndian.AppendUint32(nil, p.uid)
			if p.remove {
				err = b.Delete(key)
			} else {
				err = b.Put(key, p.entry.encode())
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("migrate: state: %w", err)
	}
	s.pending, s.saved, s.flushed = s.pending[:0], raw, time.Now()
	return s.settledLocked()
}

// put remembers an entry for the next save, and saves when enough has come
// together: what is lost by a crash is found again at the target.
func (s *state) put(folder string, uid uint32, e entry) error {
	return s.add(pendingEntry{folder: folder, uid: uid, entry: e})
}

func (s *state) remove(folder string, uid uint32) error {
	return s.add(pendingEntry{folder: folder, uid: uid, remove: true})
}

func (s *state) add(p pendingEntry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, p)
	if len(s.pending) >= maxUnsaved || time.Since(s.flushed) > time.Second {
		return s.saveLocked(nil)
	}
	return nil
}

// maxUnsaved is how many stored messages the state may not know of.
const maxUnsaved = 1000

// flush saves if entries of one of the folders are not in the file yet.
func (s *state) flush(folders ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending {
		if slices.Contains(folders, p.folder) {
			return s.saveLocked(nil)
		}
	}
	return nil
}

// each calls f for every entry of a folder, by ascending UID. Call flush first.
func (s *state) each(bucket []byte, folder string, f func(uid uint32, e entry) error) error {
	return s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucket).Bucket([]byte(folder))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			e, ok := decodeEntry(v)
			if !ok || len(k) != 4 {
				return fmt.Errorf("migrate: state: damaged entry in folder %q", folder)
			}
			return f(binary.BigEndian.Uint32(k), e)
		})
	})
}

// uids returns the source UIDs of a folder and the target UIDs they went to.
func (s *state) uids(folder string) (src, dst imapwire.Set, err error) {
	var to []uint32
	err = s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketMsgs).Bucket([]byte(folder))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error { // without decoding all of it: there may be 200,000
			if len(k) != 4 || len(v) < 28 {
				return fmt.Errorf("migrate: state: damaged entry in folder %q", folder)
			}
			src.Add(binary.BigEndian.Uint32(k))
			if uid := binary.BigEndian.Uint32(v); uid != 0 {
				to = append(to, uid)
			}
			return nil
		})
	})
	slices.Sort(to) // their order is another where an earlier tool has stored them
	for _, uid := range to {
		dst.Add(uid)
	}
	return src, dst, err
}

func (s *state) get(folder string, uids imapwire.Set, f func(uid uint32, e entry) error) error {
	return s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketMsgs).Bucket([]byte(folder))
		if b == nil {
			return nil
		}
		for uid := range uids.All() {
			v := b.Get(binary.BigEndian.AppendUint32(nil, uid))
			if v == nil {
				continue
			}
			e, ok := decodeEntry(v)
			if !ok {
				return fmt.Errorf("migrate: state: damaged entry in folder %q", folder)
			}
			if err := f(uid, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// change calls f for every entry of a folder and stores those for which it reports true.
func (s *state) change(folder string, f func(uid uint32, e *entry) bool) error {
	changed := map[uint32]entry{}
	if err := s.each(bucketMsgs, folder, func(uid uint32, e entry) error {
		if f(uid, &e) {
			changed[uid] = e
		}
		return nil
	}); err != nil {
		return err
	}
	for uid, e := range changed {
		if err := s.put(folder, uid, e); err != nil {
			return err
		}
	}
	return nil
}

// drop forgets a folder's entries; with keepOld they are put aside.
func (s *state) drop(folder string, keepOld bool) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		name := []byte(folder)
		msgs, old := tx.Bucket(bucketMsgs), tx.Bucket(bucketOld)
		if b := msgs.Bucket(name); b != nil {
			if keepOld && old.Bucket(name) == nil {
				to, err := old.CreateBucket(name)
				if err != nil {
					return err
				}
				if err := b.ForEach(func(k, v []byte) error { return to.Put(k, v) }); err != nil {
					return err
				}
			}
			return msgs.DeleteBucket(name)
		}
		return nil
	})
}

// dropOld forgets what drop has put aside.
func (s *state) dropOld(folder string) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		if b := tx.Bucket(bucketOld); b.Bucket([]byte(folder)) != nil {
			return b.DeleteBucket([]byte(folder))
		}
		return nil
	})
}

// forget removes a folder that is gone at the source.
func (s *state) forget(folder string) error {
	if err := s.drop(folder, false); err != nil {
		return err
	}
	return s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketFolders).Delete([]byte(folder)) })
}

func (e entry) encode() []byte {
	b := make([]byte, 0, 28+len(e.flags)*8)
	b = binary.BigEndian.AppendUint32(b, e.dst)
	b = binary.BigEndian.AppendUint32(b, e.size)
	b = append(b, e.digest[:]...)
	return append(b, strings.Join(e.flags, " ")...)
}

func decodeEntry(v []byte) (e entry, ok bool) {
	if len(v) < 28 {
		return e, false
	}
	e.dst = binary.BigEndian.Uint32(v)
	e.size = binary.BigEndian.Uint32(v[4:])
	copy(e.digest[:], v[8:28])
	e.flags = strings.Fields(string(v[28:]))
	return e, true
}

func size32(n int64) uint32 { return uint32(min(n, 1<<32-1)) }
