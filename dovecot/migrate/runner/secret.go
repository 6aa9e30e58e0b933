package runner

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// TokenFromFile reads an OAuth token from a file at each login; somebody else renews it.
func TokenFromFile(file string) func(ctx context.Context, user string) (schoolmail.Secret, error) {
	return func(context.Context, string) (schoolmail.Secret, error) {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		return token(b, file)
	}
}

// TokenFromCommand runs a command at each login, with the user's name in the environment
// as MIGRATE_USER, and takes the token from what it prints. The
// command is a program and its arguments, separated by blanks; no shell reads it.
func TokenFromCommand(command string) func(ctx context.Context, user string) (schoolmail.Secret, error) {
	return func(ctx context.Context, user string) (schoolmail.Secret, error) {
		args := strings.Fields(command)
		if len(args) == 0 {
			return "", fmt.Errorf("no command for the token")
		}
		ctx, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		c := exec.CommandContext(ctx, args[0], args[1:]...)
		c.Env = append(os.Environ(), "MIGRATE_USER="+user)
		var out bytes.Buffer
		c.Stdout = &out // what it says on the standard error may hold secrets, too
		if err := c.Run(); err != nil {
			return "", fmt.Errorf("%s: %w", args[0], err)
		}
		return token(out.Bytes(), args[0])
	}
}

func token(b []byte, from string) (schoolmail.Secret, error) {
	t := strings.TrimSpace(string(b))
	if t == "" || strings.ContainsAny(t, " \r\n\t") {
		return "", fmt.Errorf("%s: want one token", from)
	}
	return schoolmail.Secret(t), nil
}

// CAFile makes a TLS configuration that trusts the certificates of a PEM file
// alone: a site's own authority, or a server's self-signed certificate.
func CAFile(file string) (*tls.Config, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("migrate: certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("migrate: certificates: %s: no certificate in PEM form", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
