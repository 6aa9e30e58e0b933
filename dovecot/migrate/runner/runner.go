// Package runner carries a whole migration out as a program does it: a wave with its
// windows and its pause file, the certificate, the report, and the state of the wave for a
// monitor. It knows no flags and no terminal; examples/migrate is a thin program on it,
// and others can be. Use [migrate.Migrator] itself to migrate single mailboxes.
package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// Files in the state directory.
const (
	PauseFile     = "PAUSE"     // while it is there, the wave pauses
	WaveStateFile = "wave.json" // how the wave stands, see [State]
)

// Job is one run.
type Job struct {
	From, To migrate.Server
	Wave     migrate.Wave
	Options  migrate.Options
	State    string // directory, made if it does not exist

	NoCopy bool // only verify
	Verify bool // compare both sides afterwards
	Sample float64
	// Queue hands out the accounts when several machines share a wave, see [migrate.WaveOptions].
	// With Verify each account is verified while nobody else may work at it.
	Queue migrate.Queue
	// Paused is asked besides the pause file. nil means never.
	Paused func() bool
	// Report is a file: JSON, or a page if it ends in .html, which needs Verify. "" writes none.
	Report string
	// Site and Language are for the certificate: whose mailboxes they are, and in which
	// language its page is; see [migrate.WaveCertificate].
	Site, Language string
}

// Report is what a run leaves.
type Report struct {
	Wave        *migrate.WaveResult      `json:"wave,omitempty"`
	Certificate *migrate.WaveCertificate `json:"certificate,omitempty"`
}

// Problems reports whether somebody has to look at it: accounts that failed or
// were held back, messages that did not arrive, certificates that are not complete.
func (r *Report) Problems() bool {
	return r.Wave != nil && r.Wave.Failed() > 0 || r.Certificate != nil && r.Certificate.Complete < r.Certificate.Accounts
}

// State is how a wave stands, for a monitor: it is written into [WaveStateFile] whenever
// something changes.
type State struct {
	migrate.WaveStatus
	Time time.Time `json:"time"`
	// Waiting says why nobody connects to a server and until when.
	Waiting string    `json:"waiting,omitempty"`
	Until   time.Time `json:"until,omitzero"`
}

// Migrator makes the migrator of the job.
func (j *Job) Migrator() *migrate.Migrator {
	o := j.Options
	return migrate.New(j.From, j.To, j.State, &o)
}

// Run carries the job out. The report is never nil. The error is that of
// [migrate.Migrator.RunWave], or says that the report could not be written.
func (j *Job) Run(ctx context.Context) (*Report, error) {
	rep := &Report{}
	if err := os.MkdirAll(j.State, 0o700); err != nil {
		return rep, fmt.Errorf("migrate: state: %w", err)
	}
	m := j.Migrator()
	var err error
	if !j.NoCopy {
		w := &monitor{file: filepath.Join(j.State, WaveStateFile)}
		o := j.Options
		o.Observer = migrate.ObserverFunc(func(e migrate.Event) {
			w.event(e)
			if j.Options.Observer != nil {
				j.Options.Observer.Observe(e)
			}
		})
		m = migrate.New(j.From, j.To, j.State, &o)
		wo := &migrate.WaveOptions{Queue: j.Queue, Paused: func() bool {
			_, err := os.Stat(filepath.Join(j.State, PauseFile))
			return err == nil || j.Paused != nil && j.Paused()
		}}
		if j.Queue != nil && j.Verify {
			wo.Finish = func(ctx context.Context, a migrate.Account, res *migrate.AccountResult) (err error) {
				res.Certificate, err = m.Verify(ctx, a, &migrate.VerifyOptions{Sample: j.Sample})
				return err
			}
		}
		rep.Wave, err = m.RunWave(ctx, &j.Wave, wo)
		err = errors.Join(err, w.failed())
	}
	if j.Verify && j.Queue == nil && ctx.Err() == nil {
		rep.Certificate = Certify(ctx, m, j.Wave.Name, j.Wave.Accounts, j.Sample)
		rep.Certificate.Site, rep.Certificate.Language = j.Site, j.Language
		rep.Certificate.From, rep.Certificate.To = j.From.Addr, j.To.Addr
	}
	if j.Report != "" {
		err = errors.Join(err, rep.Write(j.Report))
	}
	return rep, err
}

// Certify verifies accounts, four at a time. One that cannot be verified has a
// certificate with the reason.
func Certify(ctx context.Context, m *migrate.Migrator, wave string, accounts []migrate.Account,
	sample float64) *migrate.WaveCertificate {
	each := make([]*migrate.Certificate, len(accounts))
	var g errgroup.Group
	g.SetLimit(4)
	for i, a := range accounts {
		g.Go(func() error {
			c, err := m.Verify(ctx, a, &migrate.VerifyOptions{Sample: sample})
			if err != nil {
				c = &migrate.Certificate{Account: a.Name, Time: time.Now().UTC(), Error: err.Error(), Stage: migrate.Failed}
			}
			each[i] = c
			return nil
		})
	}
	g.Wait()
	return migrate.SumCertificates(wave, time.Now(), each)
}

// Write writes the report into a file: the certificate as a page if its name ends
// in .html, else everything as JSON.
func (r *Report) Write(file string) error {
	err := atomicfile.Write(file, 0o600, func(w io.Writer) error {
		if strings.HasSuffix(file, ".html") {
			if r.Certificate == nil {
				return errors.New("there is no certificate to write")
			}
			return r.Certificate.WriteHTML(w)
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	})
	if err != nil {
		return fmt.Errorf("migrate: report: %w", err)
	}
	return nil
}
