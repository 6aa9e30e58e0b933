package migrate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// intent is a message that is about to be stored at the target. It is written
// to a file beside the state before the batch's last byte is sent, so that a
// killed run's messages are known for ours even when the source has deleted
// them before the next run. The file is not synced: it outlives the process,
// and what a crash of the machine takes from it is found as foreign mail at
// the target, which stays.
type intent struct {
	Folder   string   `json:"f"` // source, raw
	Validity uint32   `json:"v"` // of the source folder
	UID      uint32   `json:"u"`
	Size     int64    `json:"s"`
	Date     int64    `json:"t,omitempty"`
	Digest   string   `json:"d"`
	Flags    []string `json:"k,omitempty"`
	// Change says that these flags of a message that is at the target, under this UID, are about
	// to be changed.
	Change bool   `json:"c,omitempty"`
	At     uint32 `json:"a,omitempty"`
	AtIn   uint32 `json:"w,omitempty"` // the UIDVALIDITY of the target folder
}

// openIntents reads what an interrupted run has left and keeps the file open.
func (s *state) openIntents(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("migrate: state: %w", err)
	}
	s.intentFile = f
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		var i intent
		if err == nil && json.Unmarshal(line, &i) == nil { // a torn last line is left out
			s.intents = append(s.intents, i)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("migrate: state: %w", err)
		}
	}
	if len(s.intents) > 0 { // after a torn line begin a new one
		_, err = f.WriteString("\n")
	}
	return err
}

// intend records a batch before it is sent to its end.
func (s *state) intend(folder string, validity uint32, batch []*message) error {
	list := make([]intent, len(batch))
	for i, m := range batch {
		list[i] = intent{Folder: folder, Validity: validity, UID: m.uid, Size: m.size, Digest: m.digest.String(),
			Flags: m.flags}
		if !m.date.IsZero() {
			list[i].Date = m.date.Unix()
		}
	}
	return s.write(folder, list)
}

// write adds to the file what is under way in a folder.
func (s *state) write(folder string, list []intent) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, i := range list {
		if err := e.Encode(i); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.intentFile.Write(b.Bytes()); err != nil {
		return fmt.Errorf("migrate: state: %w", err)
	}
	s.intended = true
	s.underWay[folder] = list
	return nil
}

// doubtful are the flags, by UID, that an interrupted run was changing at the target.
func (s *state) doubtful(folder string, validity uint32) map[uint32][]string {
	out := map[uint32][]string{}
	for _, i := range s.intents {
		if i.Change && i.Folder == folder && i.Validity == validity {
			out[i.UID] = append(out[i.UID], i.Flags...)
		}
	}
	return out
}

// doubtfulAt is doubtful by the target's UIDs, for messages that the state does not know of: which
// of the source's they are is found out anew, and of several equal ones it may be another.
func (f *folderRun) doubtfulAt() map[uint32][]string {
	out := map[uint32][]string{}
	for _, i := range f.st.intents {
		if from := f.folders[i.Folder]; i.At != 0 && i.AtIn == f.state.DstValidity && from != nil &&
			from.Target == f.TargetRaw {
			out[i.At] = append(out[i.At], i.Flags...)
		}
	}
	return out
}

// answered says that the target has answered for a folder's batch, and that what it
// has stored will be in the state with the next save.
func (s *state) answered(folder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.underWay, folder)
}

// interrupted keeps what had no answer for the next attempt.
func (s *state) interrupted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.underWay {
		s.intents = append(s.intents, list...)
	}
	clear(s.underWay)
}

// settled empties the file when the state knows all that it says, and nothing
// of an interrupted run is left to look at.
func (s *state) settled() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settledLocked()
}

func (s *state) settledLocked() error {
	if len(s.intents)+len(s.underWay) > 0 || !s.intended {
		return nil
	}
	s.intended = false
	if err := s.intentFile.Truncate(0); err != nil {
		return fmt.Errorf("migrate: state: %w", err)
	}
	return nil
}

// ghosts are the messages that an interrupted run was storing and the source
// no longer has.
func (s *state) ghosts(folder string, validity uint32, live imapwire.Set) ([]item, error) {
	if len(s.intents) == 0 {
		return nil, nil
	}
	if err := s.flush(folder); err != nil {
		return nil, err
	}
	known, _, err := s.uids(folder)
	if err != nil {
		return nil, err
	}
	var out []item
	seen := map[uint32]bool{}
	for _, i := range s.intents {
		if i.Change || i.Folder != folder || i.Validity != validity ||
			live.Contains(i.UID) || known.Contains(i.UID) || seen[i.UID] {
			continue
		}
		if d, ok := parseDigest(i.Digest); ok {
			seen[i.UID] = true
			out = append(out, item{uid: i.UID, size: size32(i.Size), date: i.Date, digest: d})
		}
	}
	return out, nil
}
