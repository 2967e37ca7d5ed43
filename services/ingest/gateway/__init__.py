"""Events over HTTP: any SDK posts them, they are on Kafka, and only then is it answered."""
