package addressbook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Kinds of keys. The head of a folder tells what the folder is.
const (
	personKey = "p" // a person
	bookKey   = "b" // head entry of a book: its list, or a note
	folderKey = "f" // head entry of a container
	orphanKey = "x" // head entry of a folder of ours that no rule explains
)

// entryKey returns "owner:kind:hash". The hash tells nothing about the
// person to somebody who does not know the salt.
func (r Rules) entryKey(kind string, parts ...string) string {
	h := hmac.New(sha256.New, []byte(r.Salt.Reveal()))
	h.Write([]byte(r.owner() + "\x00" + kind))
	for _, p := range parts {
		h.Write([]byte("\x00" + p))
	}
	sum := base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(h.Sum(nil)[:16])
	return r.owner() + ":" + kind + ":" + strings.ToLower(sum)
}

// personID is what a person's key is made of: the record key, or for accounts
// that were made by hand the user name.
func personID(a schoolmail.Account) []string {
	if a.Key.IsZero() {
		return []string{"user", a.Username}
	}
	return []string{"record", a.Key.Source, a.Key.ID}
}

// kindOf returns the kind of one of our keys, or "" for foreign entries.
func (r Rules) kindOf(key string) string {
	rest, ok := strings.CutPrefix(key, r.owner()+":")
	if !ok {
		return ""
	}
	kind, _, ok := strings.Cut(rest, ":")
	if !ok {
		return ""
	}
	return kind
}
