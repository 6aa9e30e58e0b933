package site

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// Approval says who has approved a plan, or a list of accounts to take over: a file
// beside it.
type Approval struct {
	Plan   string    `json:"plan"`   // its id; "list" of a list
	SHA256 string    `json:"sha256"` // of the file
	User   string    `json:"user"`   // of the operating system
	UserID string    `json:"user_id"`
	Time   time.Time `json:"time"`
}

func approvalFile(planFile string) string { return planFile + ".approved" }

// approvedList is what an [Approval] of a list has for the id of a plan.
const approvedList = "list"

// ApprovePlan writes beside a plan that the user who runs this program has approved
// it. A file whose name ends in .csv is a list for [Site.Adopt].
func ApprovePlan(planFile string) (*Approval, error) {
	id, sum, err := idAndSum(planFile)
	if err != nil {
		return nil, err
	}
	a := &Approval{Plan: id, SHA256: sum, Time: time.Now().UTC().Truncate(time.Second)}
	if a.User, a.UserID, err = whoRuns(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(a, "", " ")
	if err != nil {
		return nil, err
	}
	return a, atomicfile.WriteBytes(approvalFile(planFile), approvalMode, append(b, '\n'))
}

// approvalMode lets somebody else read the approval: who applies is not who approves.
const approvalMode fs.FileMode = 0o644

// ReadApproval returns who has approved a plan; nil if nobody has. An approval of
// anything but the file as it is now is an error, as is one in the name of a user
// whose file it is not.
func ReadApproval(planFile string) (*Approval, error) {
	b, err := os.ReadFile(approvalFile(planFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var a Approval
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("%s: %w", approvalFile(planFile), err)
	}
	info, err := os.Stat(approvalFile(planFile))
	if err != nil {
		return nil, err
	}
	if id := ownerOf(info); id != "" && id != a.UserID {
		return nil, fmt.Errorf("%s: it says that %s (user id %s) has approved, but the file is that of user id %s",
			approvalFile(planFile), a.User, a.UserID, id)
	}
	id, sum, err := idAndSum(planFile)
	if err != nil {
		return nil, err
	}
	if a.SHA256 != sum || a.Plan != id {
		return nil, fmt.Errorf("%s: the file is not the one that %s approved: it was changed since", approvalFile(planFile),
			a.User)
	}
	return &a, nil
}

func idAndSum(file string) (id, sum string, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	hash := sha256.Sum256(b)
	sum = hex.EncodeToString(hash[:])
	if strings.HasSuffix(file, ".csv") {
		return approvedList, sum, nil
	}
	plan, err := schoolmail.DecodePlan(b)
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", file, err)
	}
	return plan.Header.ID, sum, nil
}

// ownerOf returns whose a file is; tests put somebody else there.
var ownerOf = fileOwner

// whoRuns returns the operating system's user; tests put another one there.
var whoRuns = func() (name, id string, err error) {
	u, err := user.Current()
	if err != nil {
		return "", "", fmt.Errorf("who runs this program: %w", err)
	}
	return u.Username, u.Uid, nil
}

// mayApply checks, where four eyes are wanted, that somebody else has approved what
// is applied.
func (s *Site) mayApply(o *RunOptions, id string) error {
	switch {
	case !s.fourEyes:
	case o.Approved == nil:
		return errors.New("nothing was done: [guards] four_eyes is set, so a plan is saved, approved by somebody else, and " +
			"then applied as it is")
	case o.Approval == nil || o.Approval.Plan != o.Approved.Header.ID:
		return fmt.Errorf("nothing was done: [guards] four_eyes is set, and nobody has approved plan %s",
			o.Approved.Header.ID)
	case o.Approval.UserID == id:
		return fmt.Errorf("nothing was done: [guards] four_eyes is set, and %s has approved the plan: somebody else "+
			"applies it", o.Approval.User)
	}
	return nil
}

// signed says who has approved and who applies, for journal and report.
func signed(o *RunOptions, name string) string {
	by := "applied by " + name
	if o.Approval != nil {
		by = fmt.Sprintf("approved by %s on %s, %s", o.Approval.User, o.Approval.Time.Format("2006-01-02 15:04 MST"), by)
	}
	return by
}
