from tests.counting.app import main

main()
