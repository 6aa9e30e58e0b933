package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// subscribe adds what the source has subscribed since the last run to
// Dovecot's file: what the user has unsubscribed since stays so.
func (r *run) subscribe(p *Plan, subs map[string]bool) error {
	var add [][]string
	var marks []*folderState
	for _, f := range p.Folders {
		fs := r.st.folders[f.box.folder]
		if fs == nil || subs == nil || fs.Subscribed == subs[f.box.folder] {
			continue
		}
		if subs[f.box.folder] {
			levels := []string{"INBOX"}
			if f.raw != "INBOX" {
				levels = strings.Split(f.raw, r.c.opt.Separator)
			}
			add = append(add, levels)
		}
		marks = append(marks, fs)
	}
	if len(add) > 0 {
		if err := r.d.subscribe(filepath.Join(r.acct.Maildir, "subscriptions"), add); err != nil {
			return err
		}
	}
	for _, fs := range marks {
		fs.Subscribed = !fs.Subscribed
	}
	return nil
}

const subscriptionsHeader = "V\t2\n\n"

// subscribe adds folders to Dovecot's list: after "V TAB 2" and an empty line
// the levels of one folder in each line, with TABs between. Before 2.3 there
// is no heading, and levels are joined by dots.
func (d *disk) subscribe(file string, add [][]string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, sep := string(old), "."
	if text == "" || strings.HasPrefix(text, "V\t") {
		sep = "\t"
	}
	if text == "" {
		text = subscriptionsHeader
	} else if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	lines := strings.Split(text, "\n")
	for _, levels := range add {
		if line := strings.Join(levels, sep); !slices.Contains(lines, line) {
			text += line + "\n"
		}
	}
	if text == string(old) {
		return nil
	}
	return d.replace(file, file+".schoolmail", func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}
