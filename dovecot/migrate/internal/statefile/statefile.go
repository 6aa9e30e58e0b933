// Package statefile knows where a migration keeps an account's state and whether it has
// begun: the converter of spools must not bring what the migration over IMAP has brought.
package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrBusy means that a migration of the account runs.
var ErrBusy = errors.New("the account is being migrated by another process")

// Folders is the bucket with the folders that a state knows.
const Folders = "folders"

// Path names the file that keeps an account's state in a directory. What a
// file name should not hold is percent-encoded.
func Path(dir, account string) string {
	var b strings.Builder
	for _, c := range []byte(account) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '@', c == '.' && b.Len() > 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return filepath.Join(dir, b.String()+".db")
}

// HasBegun reports whether the state in a directory knows of folders of an account.
func HasBegun(dir, account string) (bool, error) {
	file := Path(dir, account)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Second, ReadOnly: true})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return false, ErrBusy
	}
	if err != nil {
		return false, fmt.Errorf("migrate: state %s: %w", file, err)
	}
	defer db.Close()
	began := false
	err = db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket([]byte(Folders)); b != nil {
			k, _ := b.Cursor().First()
			began = k != nil
		}
		return nil
	})
	return began, err
}
