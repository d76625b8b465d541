// Speaks MongoDB's protocol for the tests: ferretdb ADDRESS STATE-DIRECTORY, on the PostgreSQL with DocumentDB that
// FERRETDB_POSTGRESQL_URL names. Prints its own address when it listens.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/v2/ferretdb"
)

func main() {
	telemetry := false
	server, err := ferretdb.New(&ferretdb.Config{
		PostgreSQLURL: os.Getenv("FERRETDB_POSTGRESQL_URL"),
		ListenAddr:    os.Args[1],
		StateDir:      os.Args[2],
		LogOutput:     os.Stderr,
		Telemetry:     &telemetry,
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// It waits for Run.
	go func() { fmt.Println(server.MongoDBURI()) }()
	server.Run(ctx)
}
